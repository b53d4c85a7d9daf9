import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { SealBroken } from '#libs/vault';
import { SecretReferences } from '../config/secret-references.js';
import { Encryption, EncryptionOff } from '../encryption/encryption.js';
import type { SealedColumn } from '../encryption/sealed-column.js';
import type { SignInProvider } from './sign-in-provider.js';

const contextOf = (id: string): string => `sign-in-provider-secret:${id}`;

/** For re-encryption. */
export const sealedProviderColumn: SealedColumn = {
  table: 'sign_in_providers',
  column: 'sealed_secret',
  key: 'id',
  keyType: 'uuid',
  reads: [],
  context: ({ id = '' }) => contextOf(id),
};

/** The secrets that this server has at identity providers of the database: sealed in the row, or in the environment. */
@Injectable()
export class SignInProviderSecrets {
  constructor(
    private readonly references: SecretReferences,
    private readonly encryption: Encryption,
  ) {}

  /** @throws EncryptionOff */
  seal(id: string, secret: string): Promise<string> {
    return this.encryption.seal(Buffer.from(secret), contextOf(id));
  }

  isSet(reference: string): boolean {
    return this.references.read(reference) !== undefined;
  }

  /**
   * @param reference the variable that holds it, unless it is sealed
   * @returns undefined where this server is a public client
   * @throws OAuthError `sign-in-misconfigured` when it is not there or does not open: nobody is then asked without it
   */
  async of({ id, slug, sealedSecret }: SignInProvider, reference: string | undefined): Promise<string | undefined> {
    if (sealedSecret !== undefined) return this.#opened(id, slug, sealedSecret);
    if (reference === undefined) return undefined;
    const secret = this.references.read(reference);
    if (secret === undefined)
      throw new OAuthError('sign-in-misconfigured', 'idp_secret_missing', { facts: { provider: slug, reference } });
    return secret;
  }

  async #opened(id: string, slug: string, sealedSecret: string): Promise<string> {
    try {
      return (await this.encryption.open(sealedSecret, contextOf(id))).toString();
    } catch (error) {
      if (!(error instanceof SealBroken || error instanceof EncryptionOff)) throw error;
      throw new OAuthError('sign-in-misconfigured', 'idp_secret_unreadable', {
        facts: { provider: slug },
        cause: error,
      });
    }
  }
}
