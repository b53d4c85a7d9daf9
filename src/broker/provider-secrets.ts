import { Injectable } from '@nestjs/common';
import { SealBroken } from '#libs/vault';
import { SecretReferences } from '../config/secret-references.js';
import { Encryption, EncryptionOff } from '../encryption/encryption.js';
import type { Provider } from './provider.js';
import type { SecretPlace } from './secret-place.js';
import { UpstreamMisconfigured } from './upstream-errors.js';

/** The secrets that this server has at providers: in the environment, or sealed in the provider's row. */
@Injectable()
export class ProviderSecrets {
  constructor(
    private readonly references: SecretReferences,
    private readonly encryption: Encryption,
  ) {}

  /** @throws EncryptionOff */
  seal(providerId: string, secret: string): Promise<string> {
    return this.encryption.seal(Buffer.from(secret), contextOf(providerId));
  }

  /** @throws UpstreamMisconfigured when it is not there, or does not open */
  async of({ id, sealedSecret }: Provider, { reference, inRow }: SecretPlace): Promise<string> {
    if (inRow && sealedSecret !== undefined) return this.#opened(id, sealedSecret);
    const secret = reference === undefined ? undefined : this.references.read(reference);
    if (secret === undefined) throw new UpstreamMisconfigured('secret_missing');
    return secret;
  }

  async #opened(id: string, sealedSecret: string): Promise<string> {
    try {
      return (await this.encryption.open(sealedSecret, contextOf(id))).toString();
    } catch (error) {
      if (error instanceof SealBroken || error instanceof EncryptionOff)
        throw new UpstreamMisconfigured('secret_unreadable');
      throw error;
    }
  }

  isSet(reference: string): boolean {
    return this.references.read(reference) !== undefined;
  }
}

const contextOf = (providerId: string): string => `provider-secret:${providerId}`;
