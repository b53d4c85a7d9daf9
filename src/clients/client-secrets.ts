import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { judgeSecret, type SecretVerdict } from './client-secret.js';
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

  /** Takes as long for a client that does not exist: a stranger must not learn which ids do. */
  async judge(clientId: string, secret: string): Promise<SecretVerdict> {
    return judgeSecret(secret, await this.store.ofClient(clientId), this.config.clientSecretPepper, this.clock.now());
  }
}
