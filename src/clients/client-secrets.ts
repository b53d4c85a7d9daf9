import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { judgeSecret, type SecretVerdict, type StoredSecret } from './client-secret.js';
import { ClientSecretStore } from './client-secret.store.js';

export type { SecretVerdict } from './client-secret.js';

/** Client authentication by a secret (RFC 6749 §2.3.1). */
@Injectable()
export class ClientSecrets {
  constructor(
    private readonly store: ClientSecretStore,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  async judge(clientId: string, secret: string): Promise<SecretVerdict> {
    return this.compare(secret, await this.store.ofClient(clientId));
  }

  /** Takes as long for a client that does not exist, and has none: a stranger must not learn which ids do. */
  compare(secret: string, stored: readonly StoredSecret[]): SecretVerdict {
    return judgeSecret(secret, stored, this.config.clientSecretPepper, this.clock.now());
  }
}
