import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ClientAuthenticator } from './client-authenticator.js';
import { ClientSecretEntity } from './client-secret.entity.js';
import { ClientSecretStore } from './client-secret.store.js';
import { ClientEntity } from './client.entity.js';
import { ClientStore } from './client.store.js';
import { Clients } from './clients.js';
import { MetadataDocuments } from './metadata-documents.js';
import { RegistrationMode } from './registration-mode.js';

/** interim */
@Module({
  imports: [TypeOrmModule.forFeature([ClientEntity, ClientSecretEntity])],
  providers: [ClientStore, ClientSecretStore, Clients, ClientAuthenticator, MetadataDocuments, RegistrationMode],
  exports: [Clients, ClientAuthenticator, RegistrationMode],
})
export class ClientsModule {}
