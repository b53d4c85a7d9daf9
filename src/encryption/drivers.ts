import type { Config } from '../config/config.js';
import type { Breakers } from '../platform/breaker/breakers.js';
import type { Clock } from '../platform/clock/clock.js';
import { TransitEngine } from '../platform/vault/transit-engine.js';
import { VaultClient } from '../platform/vault/vault-client.js';
import { VaultLogin } from '../platform/vault/vault-login.js';
import { AesMaster } from './aes-master.js';
import { ByEnvelope } from './by-envelope.js';
import type { Encryption } from './encryption.js';
import { NoEncryption } from './no-encryption.js';
import { VaultTransit } from './vault-transit.js';

/** The drivers that the configuration describes: the one in force, and what else opens. */
export abstract class Drivers {
  abstract readonly encryption: Encryption;
  /** Of the Vault that is configured, in force or not. */
  abstract readonly login?: VaultLogin;
}

export function driversOf(config: Config, clock: Clock, breakers?: Breakers): Drivers {
  const { driver, masterKey, oldMasterKey } = config.dataEncryption;
  if (driver === undefined) return { encryption: new NoEncryption() };
  const aes = masterKey === undefined ? undefined : new AesMaster(masterKey, oldMasterKey);
  const { vault, login } = vaultOf(config, clock, breakers);
  const configured = [aes, vault].filter((each) => each !== undefined);
  const inForce = configured.find((each) => each.driver === driver) ?? new NoEncryption();
  return {
    encryption: new ByEnvelope(
      inForce,
      configured.filter((each) => each !== inForce),
    ),
    login,
  };
}

function vaultOf(config: Config, clock: Clock, breakers?: Breakers): { vault?: VaultTransit; login?: VaultLogin } {
  const { address, namespace, keyName, mountPath, credentials, approle } = config.dataEncryption.vaultTransitEncrypt;
  if (!address || !keyName || !credentials) return {};
  const client = VaultClient.at({ address, namespace, allowHttp: config.isLocal }, breakers);
  const login = new VaultLogin(client, { ...credentials, mountPath: approle.mountPath }, clock);
  return { login, vault: new VaultTransit(new TransitEngine(client, login, { mountPath, keyName })) };
}
