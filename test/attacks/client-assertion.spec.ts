import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK, type CryptoKey } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyClient, aKeyPair, asForm, assertionOf, outcomeOf, type KeyClient } from '../assertions.js';
import { aClient, aConfidentialClient } from '../builders.js';
import { documentHost, documentsFromHere, type DocumentAnswer, type DocumentHost } from '../document-host.js';

const settings = { ...documentsFromHere, RATE_LIMIT_ENABLED: 'false', SERVER_TRUSTED_PROXIES: '127.0.0.1/32' };

let app: TestApp;
let host: DocumentHost;
let other: KeyClient;
beforeAll(async () => {
  host = await documentHost();
  app = await startTestApp({ settings });
  other = await aKeyClient(app);
});
afterAll(async () => {
  await app.close();
  await host.close();
});

const outcome = (form: Record<string, string>, options?: { at?: TestApp; authorization?: string }): Promise<string> =>
  outcomeOf(app, form, options);

const present = async (client: KeyClient, claims = {}, header = {}): Promise<string> =>
  outcome(asForm(await assertionOf(app, client.id, client.pair, claims, header)));

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a client assertion', () => {
  it('[J3 U1] for another audience is refused', async () => {
    const audiences = [
      `${app.issuer}/oauth/token`,
      [app.issuer, `${app.issuer}/oauth/token`],
      `${app.issuer}/`,
      `${app.issuer}.evil.example`,
      app.issuer.slice(0, -1),
      'https://other.example',
    ];
    for (const aud of audiences) expect(await present(other, { aud })).toBe('assertion_invalid audience');
    expect(await present(other, { aud: [app.issuer] })).toBe('known');
  });

  it('[J3] for the token endpoint counts under the legacy switch, and still alone', async () => {
    const legacy = await startTestApp({
      settings: { ...settings, OAUTH_ACCEPT_TOKEN_ENDPOINT_AUDIENCE: 'true' },
      beside: app,
    });
    const endpoint = `${app.issuer}/oauth/token`;
    const [alone, both, introspection] = await Promise.all(
      [endpoint, [app.issuer, endpoint], `${app.issuer}/oauth/introspect`].map(async (aud) =>
        outcome(asForm(await assertionOf(app, other.id, other.pair, { aud })), { at: legacy }),
      ),
    );
    await legacy.close();
    expect(alone).toBe('known');
    expect([both, introspection]).toEqual(Array(2).fill('assertion_invalid audience'));
  });

  it('[J1] that is over, or lives too long, is refused', async () => {
    const now = Math.floor(app.clock.now().getTime() / 1000);
    expect(await present(other, { exp: now - 1 })).toBe('assertion_invalid expired');
    expect(await present(other, { exp: now + 3600 })).toBe('assertion_invalid too_far_ahead');
    expect(await present(other, { nbf: now + 300 })).toBe('assertion_invalid not_yet_valid');
  });

  it('[J4] works once, on whichever replica', async () => {
    const replica = await startTestApp({ settings, beside: app });
    const form = asForm(await assertionOf(app, other.id, other.pair));
    expect(await outcome(form)).toBe('known');
    expect(await outcome(form)).toBe('assertion_invalid replayed');
    expect(await outcome(form, { at: replica })).toBe('assertion_invalid replayed');
    await replica.close();
  });

  it('[J4] with the jti of another client is a different one', async () => {
    const third = await aKeyClient(app);
    expect(await present(other, { jti: 'one-for-all' })).toBe('known');
    expect(await present(third, { jti: 'one-for-all' })).toBe('known');
    expect(await present(third, { jti: 'one-for-all' })).toBe('assertion_invalid replayed');
  });

  it('[J4] whose signature is wrong spends no jti', async () => {
    const thief = await aKeyPair();
    const claims = { jti: 'not-mine' };
    const forged = await assertionOf(app, other.id, { ...thief, kid: other.pair.kid }, claims);
    expect(await outcome(asForm(forged))).toBe('assertion_invalid signature');
    expect(await present(other, claims)).toBe('known');
  });

  it("[J2] does not stand for another client, whoever's key signed it", async () => {
    const victim = await aKeyClient(app);
    const own = await assertionOf(app, other.id, other.pair);
    expect(await outcome({ ...asForm(own), client_id: victim.id })).toBe('assertion_invalid client_id');
    const posed = await assertionOf(app, victim.id, other.pair);
    expect(await outcome(asForm(posed))).toBe('assertion_invalid kid');
    const named = await assertionOf(app, victim.id, { ...other.pair, kid: victim.pair.kid });
    expect(await outcome(asForm(named))).toBe('assertion_invalid signature');
    expect(await present(other, { iss: victim.id })).toBe('assertion_invalid issuer');
  });

  it('[J5] without a signature, or with a public key as secret, is refused', async () => {
    const now = Math.floor(app.clock.now().getTime() / 1000);
    const payload = encode({ iss: other.id, sub: other.id, aud: app.issuer, exp: now + 60, jti: 'forged' });
    expect(await outcome(asForm(`${encode({ alg: 'none' })}.${payload}.`))).toBe('assertion_invalid alg');
    const input = `${encode({ alg: 'HS256', kid: other.pair.kid })}.${payload}`;
    const pem = await exportSPKI((await importJWK(other.pair.publicJwk, 'ES256')) as CryptoKey);
    for (const secret of [pem, JSON.stringify(other.pair.publicJwk)]) {
      const mac = createHmac('sha256', secret).update(input).digest('base64url');
      expect(await outcome(asForm(`${input}.${mac}`))).toBe('assertion_invalid alg');
    }
  });

  it('[J5] brings no key of its own', async () => {
    const thief = await aKeyPair();
    const header = { jwk: thief.publicJwk, jku: `${host.origin}/thief` };
    const forged = await assertionOf(app, other.id, { ...thief, kid: other.pair.kid }, {}, header);
    expect(await outcome(asForm(forged))).toBe('assertion_invalid signature');
    expect(host.hits).not.toContain('/thief');
  });

  it('[J5] is held to the registered algorithm', async () => {
    const pair = await aKeyPair('RS256');
    const { id } = await aClient(app, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [pair.publicJwk] },
      token_endpoint_auth_signing_alg: 'PS256',
    });
    expect(await outcome(asForm(await assertionOf(app, id, pair)))).toBe('assertion_invalid alg');
  });

  it('[J2] beside another method, of another type, or without its type is refused', async () => {
    const { id, secret = '' } = await aConfidentialClient(app);
    const form = async () => asForm(await assertionOf(app, other.id, other.pair));
    const basic = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    expect(await outcome(await form(), { authorization: basic })).toBe('400 invalid_request');
    expect(await outcome({ ...(await form()), client_id: id, client_secret: secret })).toBe('400 invalid_request');
    const type = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' };
    expect(await outcome({ ...(await form()), ...type })).toBe('assertion_invalid type');
    expect(await outcome({ client_assertion: (await form())['client_assertion']! })).toBe('assertion_invalid type');
    expect(await outcome({ client_assertion_type: asForm('')['client_assertion_type']! })).toBe(
      'assertion_invalid missing',
    );
  });

  it('is the only way in for a client that registered it, and no way in for others', async () => {
    expect(await outcome({ client_id: other.id })).toBe('credentials_missing');
    expect(await outcome({ client_id: other.id, client_secret: 'x' })).toBe('auth_method_mismatch');
    const { id } = await aConfidentialClient(app);
    expect(await outcome(asForm(await assertionOf(app, id, other.pair)))).toBe('auth_method_mismatch');
    expect(await outcome(asForm(await assertionOf(app, 'nobody', other.pair)))).toBe('client_unknown');
  });

  it('with poison in it harms nobody', async () => {
    const poisons = ['\0', '\ud800', 'x'.repeat(5000), '../../etc', "' or 1=1 --"];
    for (const sub of poisons)
      expect(await present(other, { sub })).toMatch(/^(assertion_invalid subject|client_unknown)/);
    for (const jti of ['\0', '\ud800']) expect(await present(other, { jti })).toBe('assertion_invalid jti');
    expect(await present(other, { jti: "'" })).toBe('known');
    for (const kid of ['\0', '\ud800', '../keys'])
      expect(await present(other, {}, { kid })).toBe('assertion_invalid kid');
    for (const raw of ['x', '..', 'a.b.c', '{}', 'x'.repeat(15_000)])
      expect(await outcome(asForm(raw))).toBe('assertion_invalid subject');
  });

  it('ends with its key, and with the client', async () => {
    const client = await aKeyClient(app);
    const next = await aKeyPair();
    await app.admin('PATCH', `/admin/clients/${client.id}`, { jwks: { keys: [next.publicJwk] } });
    expect(await present(client)).toBe('assertion_invalid kid');
    expect(await present({ ...client, pair: next })).toBe('known');
    await app.admin('PATCH', `/admin/clients/${client.id}/suspend`);
    expect(await present({ ...client, pair: next })).toBe('client_suspended');
  });
});

describe('a jwks_uri', () => {
  let sets = 0;
  async function behindUrl(answer: (client: KeyClient) => DocumentAnswer): Promise<KeyClient & { path: string }> {
    const path = `/jwks-${++sets}.json`;
    const client = await aKeyClient(app, { jwks_uri: `${host.origin}${path}` });
    host.put(path, answer(client));
    return { ...client, path };
  }
  const good = ({ pair }: KeyClient): DocumentAnswer => ({ body: JSON.stringify({ keys: [pair.publicJwk] }) });
  const hitsOf = (path: string): number => host.hits.filter((hit) => hit === path).length;

  it('is asked once a minute however many unknown keys are named', async () => {
    const client = await behindUrl(good);
    expect(await present(client)).toBe('known');
    for (let n = 0; n < 5; n++) expect(await present(client, {}, { kid: `k${n}` })).toBe('assertion_invalid kid');
    expect(hitsOf(client.path)).toBe(1);
    app.clock.advance(61);
    await Promise.all([1, 2, 3, 4, 5].map((n) => present(client, {}, { kid: `k${n}` })));
    expect(hitsOf(client.path)).toBe(2);
  });

  it('gives a new key when an assertion names one, at once and again a minute later', async () => {
    const client = await behindUrl((made) => ({ ...good(made), headers: { 'cache-control': 'max-age=3600' } }));
    expect(await present(client)).toBe('known');
    const next = { ...client, pair: await aKeyPair() };
    host.put(client.path, { body: JSON.stringify({ keys: [client.pair.publicJwk, next.pair.publicJwk] }) });
    app.clock.advance(61);
    expect([await present(next), await present(client)]).toEqual(['known', 'known']);
  });

  it('is good for an hour at most, and no shorter than a minute', async () => {
    const headers = { 'cache-control': 'max-age=86400' };
    const client = await behindUrl((made) => ({ ...good(made), headers }));
    const hasty = await behindUrl((made) => ({ ...good(made), headers: { 'cache-control': 'no-store' } }));
    for (const each of [client, hasty, client, hasty]) expect(await present(each)).toBe('known');
    expect([hitsOf(client.path), hitsOf(hasty.path)]).toEqual([1, 1]);
    app.clock.advance(3590);
    await present(client);
    expect(hitsOf(client.path)).toBe(1);
    app.clock.advance(20);
    await present(client);
    expect(hitsOf(client.path)).toBe(2);
  });

  it('may be away for a day, and then the client is asked to try again', async () => {
    const client = await behindUrl(good);
    expect(await present(client)).toBe('known');
    for (const answer of [{ away: true }, { status: 503 }]) {
      host.put(client.path, answer);
      app.clock.advance(7200);
      expect(await present(client)).toBe('known');
    }
    app.clock.advance(24 * 3600);
    expect(await present(client)).toBe('503 temporarily_unavailable');
    expect(await present(await behindUrl(() => ({ away: true })))).toBe('503 temporarily_unavailable');
  });

  const wrong: [what: string, answer: (client: KeyClient) => DocumentAnswer][] = [
    ['redirects', () => ({ status: 302, headers: { location: '/elsewhere' } })],
    ['is gone', () => ({ status: 404 })],
    ['is huge', (client) => ({ body: `${good(client).body}${' '.repeat(70_000)}` })],
    ['holds a private key', ({ pair }) => ({ body: JSON.stringify({ keys: [{ ...pair.publicJwk, d: 'AA' }] }) })],
    ['names a member twice', ({ pair }) => ({ body: `{"keys":[],"keys":[${JSON.stringify(pair.publicJwk)}]}` })],
    ['is a page', () => ({ body: '<html></html>' })],
  ];
  it.each(wrong)('that %s gives no key, and ends the ones before', async (_, answer) => {
    const client = await behindUrl(good);
    expect(await present(client)).toBe('known');
    host.put(client.path, answer(client));
    app.clock.advance(3601);
    expect(await present(client)).toBe('assertion_invalid keys');
    expect(host.hits).not.toContain('/elsewhere');
  });

  it('that is slow is given up, and waited for by one request only', async () => {
    let open = (): void => undefined;
    const after = new Promise<void>((opened) => (open = opened));
    const client = await behindUrl((made) => ({ ...good(made), after }));
    const started = performance.now();
    const answers = await Promise.all(Array.from({ length: 5 }, () => present(client)));
    expect(new Set(answers)).toEqual(new Set(['503 temporarily_unavailable']));
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(hitsOf(client.path)).toBe(1);
    open();
  }, 20_000);

  it('[M8] on a private address is not registered, nor fetched where it was', async () => {
    const strict = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' }, beside: app });
    const draft = (jwks_uri: string) => ({
      client_name: 'x',
      redirect_uris: ['https://client.example/cb'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri,
    });
    const urls = [
      'https://10.0.0.1/k',
      'https://[::1]/k',
      'https://localhost/k',
      'http://keys.acme-agents.dev/k',
      'file:///k',
    ];
    for (const url of [
      ...urls,
      'https://169.254.169.254/k',
      'https://u@keys.acme-agents.dev/k',
      'https://keys.acme-agents.dev/k#x',
    ]) {
      const { status, body } = await strict.admin('POST', '/admin/clients', draft(url));
      expect([url, status, JSON.stringify(body).includes('jwks_uri')]).toEqual([url, 400, true]);
    }
    const client = await behindUrl(good);
    const form = asForm(await assertionOf(app, client.id, client.pair));
    expect(await outcome(form, { at: strict })).toBe('assertion_invalid keys');
    expect(hitsOf(client.path)).toBe(0);
    await strict.close();
  });
});

describe('keys at registration', () => {
  let sender = 0;
  const register = async (members: Record<string, unknown>) => {
    sender += 1;
    const response = await fetch(`${app.url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `198.51.${sender >> 8}.${sender & 255}` },
      body: JSON.stringify({ redirect_uris: ['https://app.example/callback'], ...members }),
    });
    const body = (await response.json()) as { error: string; error_description: string };
    return `${response.status} ${body.error}: ${body.error_description}`;
  };
  const method = { token_endpoint_auth_method: 'private_key_jwt' };

  it('are public, and in one place', async () => {
    const { publicJwk } = other.pair;
    const refusals = {
      'jwks or jwks_uri': {},
      both: { jwks: { keys: [publicJwk] }, jwks_uri: 'https://keys.acme-agents.dev/jwks' },
      'private or symmetric': { jwks: { keys: [{ ...publicJwk, d: 'AA' }] } },
      'symmetric key': { jwks: { keys: [{ kty: 'oct', k: 'AA' }] } },
      'no key for RS256': { jwks: { keys: [publicJwk] }, token_endpoint_auth_signing_alg: 'RS256' },
      'must be one of ES256': { jwks: { keys: [publicJwk] }, token_endpoint_auth_signing_alg: 'HS256' },
      '10 keys': { jwks: { keys: Array(11).fill(publicJwk) } },
      'not a JWK set': { jwks: 'x' },
    };
    for (const [problem, members] of Object.entries(refusals)) {
      const answer = await register({ ...method, ...members });
      expect(answer).toContain('400 invalid_client_metadata');
      expect(answer).toContain(problem);
    }
    expect(await register({ jwks: { keys: [{ ...publicJwk, d: 'AA' }] } })).toContain('private or symmetric');
  });
});
