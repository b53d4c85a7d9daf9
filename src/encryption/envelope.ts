import type { SealingKey } from './encryption.js';

type DriverName = 'aes_master' | 'vault_transit_encrypt';

/** What stands before the sealed bytes. */
const head = /^(v1[.][A-Za-z0-9_-]{0,64}[.]|vt1[.][A-Za-z0-9_.-]{1,128}[.]vault:v[0-9]{1,9}:)/;
const ofVault = /^vt1\.([\w.-]+)\.vault:(v\d+):$/;

/**
 * The head of what lies in `column`, in SQL; of what is no envelope, anything that is none either. Without the regular expression, with
 * which Postgres reads 10,000 values in a second and no more.
 */
export const headIn = (column: string): string =>
  `case when starts_with(${column}, 'v1.') then left(${column}, length(split_part(left(${column}, 80), '.', 2)) + 4)
        when starts_with(${column}, 'vt1.')
        then left(${column}, length(split_part(left(${column}, 160), ':', 1)) + length(split_part(left(${column}, 160), ':', 2)) + 2)
        when ${column} is not null then '' end`;

/** What sealed a value; undefined for what is no envelope. Nothing has been checked by that. */
export function sealingKeyOf(sealed: string): (SealingKey & { readonly driver: DriverName }) | undefined {
  const prefix = head.exec(sealed)?.[1];
  if (prefix === undefined) return undefined;
  const [, keyName, version] = ofVault.exec(prefix) ?? [];
  return keyName === undefined
    ? { driver: 'aes_master', id: `aes_master/${prefix.slice(3, -1)}`, prefix }
    : { driver: 'vault_transit_encrypt', id: `vault_transit_encrypt/${keyName}/${version}`, prefix };
}
