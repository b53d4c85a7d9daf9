import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ClientAssertions } from './client-assertions.js';
import { ClientAuthenticator } from './client-authenticator.js';
import { ClientEntity } from './client.entity.js';
import { ClientKeys } from './client-keys.js';
import { ClientSecretEntity } from './client-secret.entity.js';
import { ClientSecretStore } from './client-secret.store.js';
import { ClientSecrets } from './client-secrets.js';
import { ClientStore } from './client.store.js';
import { Clients } from './clients.js';
import { KnownClients } from './known-clients.js';
import { MetadataDocuments } from './metadata-documents.js';
import { RegistrationMode } from './registration-mode.js';
import { Registration } from './registration.js';
import { RegistrationManagementController } from './registration-management.controller.js';
import { RegistrationManagement } from './registration-management.js';
import { RegistrationController } from './registration.controller.js';
import { RemoteKeySets } from './remote-key-sets.js';
import { SecretRemindersJob } from './secret-reminders.job.js';
import { UsedAssertionStore } from './used-assertion.store.js';

/**
 * Clients — who may ask, and how they prove who they are.
 * Owns: the tables clients, client_secrets, used_assertions; /oauth/register; client id metadata documents; client authentication.
 * Not here: what a client may have (grants/), what a person allowed it (consents/), the operator's routes (admin/).
 * Holds always: whoever describes a client, one check reads it; a secret is stored as a hash and shown once; every change is
 * one transaction with a new version and its audit row; a client known by its document has no row until somebody consents.
 * RFC 6749 §2 · RFC 7591, 7592 · RFC 7523 §3 · draft-ietf-oauth-client-id-metadata-document-02.
 */
@Module({
  imports: [TypeOrmModule.forFeature([ClientEntity, ClientSecretEntity])],
  controllers: [RegistrationController, RegistrationManagementController],
  providers: [
    ClientStore,
    ClientSecretStore,
    UsedAssertionStore,
    RemoteKeySets,
    MetadataDocuments,
    KnownClients,
    Clients,
    ClientKeys,
    ClientSecrets,
    ClientAssertions,
    ClientAuthenticator,
    RegistrationMode,
    Registration,
    RegistrationManagement,
    SecretRemindersJob,
  ],
  exports: [Clients, ClientAuthenticator, RegistrationMode],
})
export class ClientsModule {}
