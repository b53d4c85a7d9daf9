import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyClient, asForm, assertionOf, type KeyClient } from '../assertions.js';
import { aKey, aProof, type ProofKey } from '../dpop.js';

const settings = {
  CLIENT_CREDENTIALS_ENABLED: 'true',
  RATE_LIMIT_ENABLED: 'false',
  SERVER_TRUSTED_PROXIES: '127.0.0.1/32',
};
const ROUNDS = 4;
const MEGABYTE = 'a'.repeat(1_000_000);
/** NUL, half a surrogate pair, more than a field may hold, and more than a request may hold. */
const POISON = ['\u0000', '\ud800', 'a'.repeat(5_000), MEGABYTE];

let app: TestApp;
let client: KeyClient;
let key: ProofKey;
beforeAll(async () => {
  app = await startTestApp({ settings });
  client = await aKeyClient(app, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' });
  key = await aKey();
});
afterAll(() => app.close());

interface Parts {
  readonly form?: Record<string, string>;
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly assertion?: Record<string, unknown>;
  readonly assertionHeader?: Record<string, unknown>;
}

let sender = 0;
/** What a token request with these parts, from an address of its own, comes to; 431 when the connection is cut before it is read. */
async function ask({ form, claims, header, assertion, assertionHeader }: Parts = {}): Promise<number> {
  const proof = await aProof(app, key, claims, header);
  const proven = asForm(await assertionOf(app, client.id, client.pair, assertion, assertionHeader));
  try {
    const { status } = await fetch(`${app.url}/oauth/token`, {
      method: 'POST',
      headers: { dpop: proof, 'x-forwarded-for': `203.0.${++sender >> 8}.${sender & 255}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...proven, ...form }),
    });
    return status;
  } catch {
    return 431;
  }
}

/** The parts of a request with `value` in each place in turn. */
const poisoned = (value: string): Parts[] => [
  ...['jti', 'htm', 'htu', 'iat', 'nonce', 'ath', 'other'].map((name) => ({ claims: { [name]: value } })),
  ...['typ', 'jwk', 'kid', 'x5u', 'other'].map((name) => ({ header: { [name]: value } })),
  ...['kty', 'crv', 'x', 'y', 'kid'].map((name) => ({ header: { jwk: { ...key.publicJwk, [name]: value } } })),
  ...['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'other'].map((name) => ({ assertion: { [name]: value } })),
  ...['typ', 'kid', 'jku', 'other'].map((name) => ({ assertionHeader: { [name]: value } })),
  ...['grant_type', 'client_id', 'client_assertion', 'client_assertion_type', 'scope', 'resource', 'other'].map(
    (name) => ({ form: { [name]: value } }),
  ),
];

describe('a poisoned value in any field of a proof, an assertion or the form', () => {
  it.each(POISON.map((value) => [JSON.stringify(value).slice(0, 10), value.length, value] as const))(
    '%s… of %i characters, among a hundred good ones: only its own request fails, and with no 500',
    async (_, __, value) => {
      const before = (await app.sql('select from issuances')).length;
      const all = poisoned(value);
      const statuses: number[] = [];
      // In four rounds: a queue longer than the pool's patience would be refused with 503, whatever is in it.
      for (let from = 0; from < all.length; from += all.length / ROUNDS) {
        const good = Array.from({ length: 100 / ROUNDS }, () => ask());
        const bad = all.slice(from, from + all.length / ROUNDS).map((parts) => ask(parts));
        expect(await Promise.all(good)).toEqual(Array(100 / ROUNDS).fill(200));
        statuses.push(...(await Promise.all(bad)));
      }
      expect(statuses).toHaveLength(all.length);
      // A jti may be any short text, and members that nobody reads may be anything.
      expect(statuses.filter((status) => ![200, 400, 401, 413, 431].includes(status))).toEqual([]);
      const issued = (await app.sql('select from issuances')).length - before;
      expect(issued).toBe(100 + statuses.filter((status) => status === 200).length);
      if (value === MEGABYTE) expect(statuses).not.toContain(200);
      expect(await ask()).toBe(200);
    },
    60_000,
  );

  it('reaches no row as it is: U+0000 would not fit, and a proof is remembered by its hash', async () => {
    const jti = `\u0000\ud800${randomUUID()}`;
    expect(await ask({ claims: { jti }, assertion: { jti } })).toBe(200);
    expect(await ask({ claims: { jti } })).toBe(400);
    expect(await ask({ assertion: { jti } })).toBe(401);
  });
});
