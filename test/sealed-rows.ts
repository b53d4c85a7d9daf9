import { randomUUID } from 'node:crypto';
import { sealedIdentityColumn } from '../src/accounts/identity-vault.js';
import { sealedProviderColumn } from '../src/accounts/sign-in-provider-secrets.js';
import { brokerSealedColumns } from '../src/broker/credential-vault.js';
import type { Encryption } from '../src/encryption/encryption.js';
import type { SealedColumn } from '../src/encryption/sealed-column.js';
import type { Database } from '../src/platform/postgres/database.js';
import { sealedKeyColumn } from '../src/keys/sealed-private-keys.js';
import { uuid7 } from '../src/platform/uuid7.js';

type Ask = Pick<Database, 'query'>;

/** Everything that lies sealed, as the composition root lists it. */
export const sealedColumns: readonly SealedColumn[] = [
  sealedKeyColumn,
  ...brokerSealedColumns,
  sealedIdentityColumn,
  sealedProviderColumn,
];

const providerId = '0190a000-0000-7000-8000-00000000aaaa';
const credentialOf = (id: string): string => `credential of ${id}`;
const accessTokenOf = (id: string): string => `access token of ${id}`;

/**
 * A provider and a sign-in provider with a sealed secret, a retired signing key, a person known to an identity provider, and connections,
 * of which every second one has a cached access token; all sealed by `encryption`.
 *
 * @returns the ids of the connections
 */
export async function plantSealedRows(database: Ask, encryption: Encryption, connections: number): Promise<string[]> {
  const now = new Date();
  const seal = (plaintext: string, context: string) => encryption.seal(Buffer.from(plaintext), context);
  await database.query(
    `insert into broker_providers (id, slug, protocol, config_data, sealed_secret, created_at, updated_at)
     values ($1, 'github', 'oauth', '{}', $2, $3, $3)`,
    [providerId, await seal('client secret', `provider-secret:${providerId}`), now],
  );
  await database.query(
    `insert into sign_in_providers (id, slug, settings, sealed_secret, created_at, updated_at) values ($1, 'acme', '{}', $2, $3, $3)`,
    [providerId, await seal('client secret', `sign-in-provider-secret:${providerId}`), now],
  );
  await database.query(
    `insert into signing_keys (kid, alg, public_jwk, sealed_private_key, created_at, activates_at, retired_at, published_until)
     values ('retired', 'ES256', '{}', $1, $2, $2, $2, $2)`,
    [await seal('private key', 'signing-key:retired'), new Date(0)],
  );
  const [personId, identityId] = [randomUUID(), randomUUID()];
  await database.query(
    `with person as (insert into users (id, name, role, status, provider, version, created_at, updated_at)
       values ($1, 'Ada', 'user', 'active', 'oidc', 1, $3, $3) returning id)
     insert into identities (id, issuer, subject, user_id, created_at, sealed_refresh_token)
     select $2, 'https://idp.example', $1::text, id, $3, $4 from person`,
    [personId, identityId, now, await seal('refresh token', `identity-refresh-token:${personId}/${identityId}`)],
  );
  const ids = Array.from({ length: connections }, () => uuid7(now));
  for (let from = 0; from < ids.length; from += 1_000) {
    const rows = await Promise.all(
      ids.slice(from, from + 1_000).map(async (id, index) => {
        const userId = randomUUID();
        const place = `${userId}/${providerId}/${id}`;
        const credential = await seal(credentialOf(id), `connection-credential:${place}`);
        const token = index % 2 === 0 ? await seal(accessTokenOf(id), `connection-access-token:${place}`) : null;
        return { id, user_id: userId, credential, token };
      }),
    );
    await database.query(
      `insert into connections (id, user_id, provider_id, scopes, sealed_credential, sealed_access_token, created_at, updated_at)
       select id, user_id, $2, '{repo}', credential, token, $3, $3
       from jsonb_to_recordset($1::jsonb) as r(id uuid, user_id uuid, credential text, token text)`,
      [JSON.stringify(rows), providerId, now],
    );
  }
  return ids;
}

export interface Opened {
  /** What opened to what was planted, or to what a `newer` credential says. */
  readonly good: number;
  /** `table.column id` of the others. */
  readonly bad: readonly string[];
}

/** Opens every sealed value there is with `encryption` and looks whether it is what was planted. */
export async function openAll(database: Ask, encryption: Encryption): Promise<Opened> {
  const bad: string[] = [];
  let good = 0;
  for (const { table, column, key, reads, context } of sealedColumns) {
    const wanted = [key, ...reads].map((name) => `${name}::text as "${name}"`).join(', ');
    const rows = await database.query<Record<string, string>>(
      `select ${wanted}, ${column} as sealed from ${table} where ${column} is not null`,
    );
    for (const row of rows) {
      const opened = await encryption.open(row.sealed ?? '', context(row)).then(String, () => undefined);
      const id = row[key] ?? '';
      if (opened !== undefined && expected(column, id).some((text) => opened.startsWith(text))) good += 1;
      else bad.push(`${table}.${column} ${id}`);
    }
  }
  return { good, bad };
}

function expected(column: string, id: string): string[] {
  if (column === 'sealed_credential') return [credentialOf(id), 'newer'];
  if (column === 'sealed_access_token') return [accessTokenOf(id)];
  if (column === 'sealed_refresh_token') return ['refresh token'];
  return column === 'sealed_secret' ? ['client secret'] : ['private key', '-----BEGIN PRIVATE KEY-----'];
}
