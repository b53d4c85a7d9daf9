import type { SealingKey } from './encryption.js';

type DriverName = 'aes_master' | 'vault_transit_encrypt';

/** What stands before the sealed bytes, as POSIX and JavaScript read it alike: Postgres counts by it. */
export const ENVELOPE_HEAD = '^(v1[.][A-Za-z0-9_-]{0,64}[.]|vt1[.][A-Za-z0-9_.-]{1,128}[.]vault:v[0-9]{1,9}:)';

const head = new RegExp(ENVELOPE_HEAD);
const ofVault = /^vt1\.([\w.-]+)\.vault:(v\d+):$/;

/** What sealed a value; undefined for what is no envelope. Nothing has been checked by that. */
export function sealingKeyOf(sealed: string): (SealingKey & { readonly driver: DriverName }) | undefined {
  const prefix = head.exec(sealed)?.[1];
  if (prefix === undefined) return undefined;
  const [, keyName, version] = ofVault.exec(prefix) ?? [];
  return keyName === undefined
    ? { driver: 'aes_master', id: `aes_master/${prefix.slice(3, -1)}`, prefix }
    : { driver: 'vault_transit_encrypt', id: `vault_transit_encrypt/${keyName}/${version}`, prefix };
}
