import { Injectable, Logger } from '@nestjs/common';
import { OAuthError, type ReasonOf } from '#libs/oauth';
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
  readonly #log = new Logger(SignInProviderSecrets.name);

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
    if (secret === undefined) throw this.#unusable('idp_secret_missing', { provider: slug, reference });
    return secret;
  }

  async #opened(id: string, slug: string, sealedSecret: string): Promise<string> {
    try {
      return (await this.encryption.open(sealedSecret, contextOf(id))).toString();
    } catch (error) {
      if (!(error instanceof SealBroken || error instanceof EncryptionOff)) throw error;
      throw this.#unusable('idp_secret_unreadable', { provider: slug });
    }
  }

  #unusable(reason: ReasonOf<'sign-in-misconfigured'>, facts: Readonly<Record<string, unknown>>): OAuthError {
    this.#log.warn({ message: 'the secret of a sign-in provider is not to be had', reason, ...facts });
    return new OAuthError('sign-in-misconfigured', reason, { facts });
  }
}
