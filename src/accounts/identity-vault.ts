import { Injectable } from '@nestjs/common';
import { Encryption } from '../encryption/encryption.js';
import type { SealedColumn } from '../encryption/sealed-column.js';

/** Refresh tokens of identity providers, for re-encryption. */
export const sealedIdentityColumn: SealedColumn = {
  table: 'identities',
  column: 'sealed_refresh_token',
  key: 'id',
  keyType: 'uuid',
  reads: ['user_id'],
  context: ({ id = '', user_id: userId = '' }) => contextOf({ identityId: id, userId }),
};

interface Place {
  readonly identityId: string;
  readonly userId: string;
}

/** Seals refresh tokens of identity providers, each for its row and its person. */
@Injectable()
export class IdentityVault {
  constructor(private readonly encryption: Encryption) {}

  seal(place: Place, refreshToken: string): Promise<string> {
    return this.encryption.seal(Buffer.from(refreshToken), contextOf(place));
  }

  /** @throws SealBroken, EncryptionOff; OAuthError `vault_unavailable` */
  async open(place: Place, sealed: string): Promise<string> {
    return (await this.encryption.open(sealed, contextOf(place))).toString();
  }
}

const contextOf = ({ identityId, userId }: Place): string => `identity-refresh-token:${userId}/${identityId}`;
