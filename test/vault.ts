import { Clock } from '../src/platform/clock/clock.js';
import { TransitEngine } from '../src/platform/vault/transit-engine.js';
import { VaultClient } from '../src/platform/vault/vault-client.js';
import { VaultLogin, type VaultAuth } from '../src/platform/vault/vault-login.js';
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
  const client = VaultClient.at({ address: at.address, allowHttp: true, timeoutMillis });
  const login = new VaultLogin(client, auth, clock);
  return { login, driver: new VaultTransit(new TransitEngine(client, login, { mountPath, keyName })) };
}
