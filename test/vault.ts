import { GuardedFetch } from '../src/platform/http-client/guarded-fetch.js';
import { Clock } from '../src/platform/clock/clock.js';
import { VaultClient } from '../src/encryption/vault-client.js';
import { VaultLogin, type VaultAuth } from '../src/encryption/vault-login.js';
import { VaultTransit } from '../src/encryption/vault-transit.js';
import type { VaultServer } from './vault-transit-server.js';

export class StoppedClock extends Clock {
  millis = Date.parse('2030-01-01T00:00:00Z');

  now(): Date {
    return new Date(this.millis);
  }

  advance(seconds: number): void {
    this.millis += seconds * 1000;
  }
}

export interface DriverOptions {
  auth?: VaultAuth;
  clock?: Clock;
  keyName?: string;
  mountPath?: string;
  timeoutMillis?: number;
}

/** The driver as the server makes it, at a test's server. */
export function vaultDriver(
  at: Pick<VaultServer, 'address' | 'root'>,
  {
    auth = { token: at.root },
    clock = new StoppedClock(),
    keyName = 'authplane',
    mountPath = 'transit',
    timeoutMillis = 5_000,
  }: DriverOptions = {},
): { driver: VaultTransit; login: VaultLogin } {
  const client = new VaultClient(new GuardedFetch(), { address: at.address, allowHttp: true, timeoutMillis });
  const login = new VaultLogin(client, auth, clock);
  return { login, driver: new VaultTransit(client, login, { mountPath, keyName }) };
}
