import { Injectable } from '@nestjs/common';
import { Encryption } from '../encryption/encryption.js';
import type { SealedColumn } from '../encryption/sealed-column.js';
import type { Connection } from './connection.js';
import type { Credential } from './connectors/connector.js';

/** What lies sealed in this module's tables, for re-encryption. Verifiers of connect flows are left to expire. */
export const brokerSealedColumns: readonly SealedColumn[] = [
  connectionColumn('sealed_credential', 'credential'),
  connectionColumn('sealed_access_token', 'access-token'),
  {
    table: 'broker_providers',
    column: 'sealed_secret',
    key: 'id',
    keyType: 'uuid',
    reads: [],
    context: ({ id = '' }) => `provider-secret:${id}`,
  },
];

function connectionColumn(column: string, what: 'credential' | 'access-token'): SealedColumn {
  return {
    table: 'connections',
    column,
    key: 'id',
    keyType: 'uuid',
    reads: ['user_id', 'provider_id'],
    context: ({ id = '', user_id: userId = '', provider_id: providerId = '' }) =>
      contextOf(what, { id, userId, providerId }),
  };
}

/** An access token that is kept, and what it is good for: kept together, so that neither can be exchanged for another's. */
export interface KeptToken {
  readonly accessToken: string;
  /** Upstream's words. */
  readonly scopes: readonly string[];
}

type Place = Pick<Connection, 'id' | 'userId' | 'providerId'>;

/**
 * Seals what upstream gave. The context names the person, the provider and the row, so that a ciphertext copied to another of them does
 * not open.
 */
@Injectable()
export class CredentialVault {
  constructor(private readonly encryption: Encryption) {}

  sealCredential(place: Place, credential: Credential): Promise<string> {
    return this.encryption.seal(Buffer.from(JSON.stringify(credential)), contextOf('credential', place));
  }

  /** @throws SealBroken */
  async openCredential(connection: Connection & { sealedCredential: string }): Promise<Credential> {
    const opened = await this.encryption.open(connection.sealedCredential, contextOf('credential', connection));
    return JSON.parse(opened.toString()) as Credential;
  }

  sealAccessToken(place: Place, token: KeptToken): Promise<string> {
    return this.encryption.seal(Buffer.from(JSON.stringify(token)), contextOf('access-token', place));
  }

  /** @throws SealBroken */
  async openAccessToken(connection: Connection & { sealedAccessToken: string }): Promise<KeptToken> {
    const opened = await this.encryption.open(connection.sealedAccessToken, contextOf('access-token', connection));
    return JSON.parse(opened.toString()) as KeptToken;
  }
}

function contextOf(what: 'credential' | 'access-token', { userId, providerId, id }: Place): string {
  return `connection-${what}:${userId}/${providerId}/${id}`;
}
