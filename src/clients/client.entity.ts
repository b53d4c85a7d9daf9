import type { ClientSigningAlg, PublicKey } from '#libs/jwt';
import type { ApplicationType, AuthMethod } from '#libs/oauth';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ClientStatus, RegistrationSource } from './client.js';

/** bigint may arrive as text; versions stay far below 2^53. */
const asNumber = { from: (stored: string | number) => Number(stored), to: (version: number) => version };

@Entity('clients')
export class ClientEntity {
  @PrimaryColumn('text') id: string;
  @Column('text') name: string;
  @Column('text', { array: true, name: 'redirect_uris' }) redirectUris: string[];
  @Column('text', { array: true, name: 'grant_types' }) grantTypes: string[];
  @Column('text', { array: true, name: 'response_types' }) responseTypes: string[];
  @Column('text', { name: 'token_endpoint_auth_method' }) tokenEndpointAuthMethod: AuthMethod;
  @Column('jsonb', { nullable: true }) jwks: { keys: PublicKey[] } | null;
  @Column('text', { name: 'jwks_uri', nullable: true }) jwksUri: string | null;
  @Column('text', { name: 'token_endpoint_auth_signing_alg', nullable: true }) assertionAlg: ClientSigningAlg | null;
  @Column('text') scope: string;
  @Column('text') status: ClientStatus;
  @Column('text', { name: 'registration_source' }) registrationSource: RegistrationSource;
  @Column('text', { name: 'application_type' }) applicationType: ApplicationType;
  @Column('boolean') agent: boolean;
  @Column('text', { name: 'agent_description' }) agentDescription: string;
  @Column('boolean', { name: 'agent_confirmed' }) agentConfirmed: boolean;
  @Column('boolean', { name: 'dpop_bound_access_tokens' }) dpopBoundAccessTokens: boolean;
  @Column('text', { name: 'default_resource', nullable: true }) defaultResource: string | null;
  @Column('integer', { name: 'access_token_ttl_seconds', nullable: true }) accessTokenTtlSeconds: number | null;
  @Column('integer', { name: 'refresh_token_ttl_seconds', nullable: true }) refreshTokenTtlSeconds: number | null;
  @Column('integer', { name: 'refresh_max_lifetime_seconds', nullable: true }) refreshMaxLifetimeSeconds: number | null;
  /** Of a metadata document: SHA-256 over what this server takes from it. */
  @Column('bytea', { name: 'metadata_hash', nullable: true }) metadataHash: Buffer | null;
  @Column('timestamptz', { name: 'security_changed_at' }) securityChangedAt: Date;
  @Column('bigint', { transformer: asNumber }) version: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
}
