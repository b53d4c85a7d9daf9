import { Logger } from '@nestjs/common';
import type { Config } from '../config/config.js';
import type { Breakers } from '../platform/breaker/breakers.js';
import type { Clock } from '../platform/clock/clock.js';
import { TransitEngine } from '../platform/vault/transit-engine.js';
import { VaultClient } from '../platform/vault/vault-client.js';
import { VaultLogin } from '../platform/vault/vault-login.js';
import { KeyFileStore } from './key-file.store.js';
import type { KeyRecord } from './key-schedule.js';
import type { PrivateKeys } from './private-keys.js';
import { SealedPrivateKeys, type PrivateKeySealer } from './sealed-private-keys.js';
import { TransitKeys } from './transit-keys.js';

type KeyStoreName = Config['signing']['keyStore'];

/**
 * Where keys are made, and where those of before lie: so that `signing.key_store` can be changed as long as a former key signs, and each
 * replica is restarted in its own time.
 */
export class KeyStores {
  readonly #stores: { readonly [name in KeyStoreName]: PrivateKeys | undefined };
  /** Of the Vault that is configured, whether or not keys are made there. */
  readonly login?: VaultLogin;

  constructor(
    private readonly config: Config,
    sealer: PrivateKeySealer,
    clock: Clock,
    breakers?: Breakers,
  ) {
    const { signing, dataEncryption } = config;
    const vault = vaultOf(config, clock, breakers);
    this.login = vault?.login;
    this.#stores = {
      keyfile: new KeyFileStore(signing.keyPath),
      postgres_key: dataEncryption.driver === undefined ? undefined : new SealedPrivateKeys(sealer),
      vault_transit: vault?.keys,
    };
  }

  get inForce(): PrivateKeys {
    const store = this.#stores[this.config.signing.keyStore];
    if (!store) throw new TypeError('The key store in force is not configured.'); // the rules at boot refuse that
    return store;
  }

  /** @returns undefined where the store that has this key is not configured any more */
  of(key: KeyRecord): PrivateKeys | undefined {
    return this.#stores[storeOf(key)];
  }

  /** Tells at boot that the change of the setting is not finished. */
  tellOfFormer(active: KeyRecord): void {
    const { keyStore } = this.config.signing;
    if (storeOf(active) === keyStore) return;
    new Logger('SigningKeys').warn(
      `the key that signs was made by signing.key_store ${storeOf(active)}, and the next one is made by ${keyStore}: ` +
        'when every replica has this configuration, rotate (authserver admin key rotate), and keep the former settings until then',
    );
  }
}

export function storeOf({ sealedPrivateKey, transitKey }: KeyRecord): KeyStoreName {
  if (sealedPrivateKey !== undefined) return 'postgres_key';
  return transitKey === undefined ? 'keyfile' : 'vault_transit';
}

function vaultOf(
  { signing, isLocal }: Config,
  clock: Clock,
  breakers?: Breakers,
): { keys: TransitKeys; login: VaultLogin } | undefined {
  const { address, namespace, mount, keyName, token, approle, timeoutSeconds } = signing.vaultTransit;
  const { roleId = '', secretId = '' } = approle;
  if (!address) return undefined;
  const timeoutMillis = timeoutSeconds * 1000;
  const client = VaultClient.at({ address, namespace, allowHttp: isLocal, timeoutMillis }, breakers);
  const login = new VaultLogin(client, token ? { token } : { roleId, secretId, mountPath: approle.mount }, clock);
  const to = (key: { mountPath: string; keyName: string }): TransitEngine => new TransitEngine(client, login, key);
  return { login, keys: new TransitKeys(to, { mountPath: mount, keyName }) };
}
