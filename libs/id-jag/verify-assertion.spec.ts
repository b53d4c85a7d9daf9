import { createHmac } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { AssertionWrong, readOrigin, verifyAssertion, type Expected } from './index.js';

const NOW = new Date('2030-01-01T00:00:00Z');
const now = NOW.getTime() / 1000;
const ISSUER = 'https://idp.example';
const AUDIENCE = 'https://as.example';

const expected: Expected = {
  kind: 'id_jag',
  issuer: ISSUER,
  audience: AUDIENCE,
  clientId: 'a-client',
  now: NOW,
  maxAgeSeconds: 300,
};
const workload: Expected = { ...expected, kind: 'workload' };

const good = {
  iss: ISSUER,
  sub: 'ada',
  aud: AUDIENCE,
  client_id: 'a-client',
  jti: 'once',
  iat: now,
  exp: now + 300,
};
const program = { iss: ISSUER, sub: 'agent', aud: [AUDIENCE], iat: now, exp: now + 3600 };

let privateKey: CryptoKey;
let keys: JWK[];
beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  privateKey = pair.privateKey;
  const other = await generateKeyPair('RS256', { extractable: true });
  const twin = await generateKeyPair('ES256', { extractable: true });
  keys = [
    { ...(await exportJWK(twin.publicKey)), kid: 'twin' },
    { ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' },
    { ...(await exportJWK(other.publicKey)), kid: 'rsa' },
  ];
});

const sign = (claims: object, header: object = {}): Promise<string> =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header }).sign(privateKey);
const jag = (claims: object = {}, header: object = {}): Promise<string> =>
  sign({ ...good, ...claims }, { typ: 'oauth-id-jag+jwt', ...header });

/** `fine`, or which check refused it. */
async function verdict(assertion: string, wanted = expected): Promise<string> {
  try {
    await verifyAssertion(assertion, keys, wanted);
    return 'fine';
  } catch (error) {
    if (error instanceof AssertionWrong) return error.problem;
    throw error;
  }
}

const encode = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

describe('an identity assertion', () => {
  it('says whom it is about and what bounds it', async () => {
    const act = { sub: 'agent', role: 'x', act: { sub: 'first' } };
    const more = { scope: 'a b a', resource: ['r:1', 'r:2', 'r:1'], cnf: { jkt: 'thumb' }, act, email: 'a@b.example' };
    const read = await verifyAssertion(await jag(more), keys, expected);
    expect(read).toMatchObject({ issuer: ISSUER, subject: 'ada', jti: 'once', jkt: 'thumb', act });
    expect(read).toMatchObject({ scopes: ['a', 'b'], resources: ['r:1', 'r:2'], claims: { email: 'a@b.example' } });
    expect(read.expiresAt).toEqual(new Date((now + 300) * 1000));
  });

  it('may leave out what only bounds it', async () => {
    const read = await verifyAssertion(await jag(), keys, expected);
    expect([read.scopes, read.resources, read.jkt, read.act]).toEqual([undefined, undefined, undefined, undefined]);
    expect((await verifyAssertion(await jag({ scope: '', resource: 'r:1' }), keys, expected)).scopes).toEqual([]);
    expect(await verdict(await jag({ aud: [AUDIENCE], nbf: now }, { kid: undefined }))).toBe('fine');
  });

  it('is about another person in each tenant, whatever texts tenants and subjects are', async () => {
    const named: object[] = [
      { sub: 'ada' },
      { sub: 'ada', tenant: 't1' },
      { sub: 'ada', tenant: 't2' },
      { sub: '["t1","ada"]' },
      { sub: '[null,"ada"]' },
      { sub: '","ada', tenant: 't1' },
    ];
    const subjects = [];
    for (const claims of named)
      subjects.push((await verifyAssertion(await jag({ ...claims }), keys, expected)).subject);
    expect(subjects.slice(0, 2)).toEqual(['ada', '["t1","ada"]']);
    expect(new Set(subjects).size).toBe(named.length);
  });

  it('is not remembered for longer than a day, whatever its exp', async () => {
    const read = await verifyAssertion(await jag({ exp: 1e12 }), keys, expected);
    expect(read.expiresAt).toEqual(new Date((now + 86_400) * 1000));
  });

  it.each<[claims: Record<string, unknown>, problem: string]>([
    [{ iss: `${ISSUER}/` }, 'assertion_issuer'],
    [{ aud: `${AUDIENCE}/` }, 'assertion_audience'],
    [{ aud: AUDIENCE.slice(0, -1) }, 'assertion_audience'],
    [{ aud: [AUDIENCE, 'https://b.example'] }, 'assertion_audience'],
    [{ aud: [] }, 'assertion_audience'],
    [{ aud: undefined }, 'assertion_audience'],
    [{ exp: now }, 'assertion_expired'],
    [{ exp: undefined }, 'assertion_claims'],
    [{ exp: '4000000000' }, 'assertion_claims'],
    [{ iat: undefined }, 'assertion_claims'],
    [{ nbf: 'soon' }, 'assertion_claims'],
    [{ iat: now + 61 }, 'assertion_not_yet_valid'],
    [{ nbf: now + 61 }, 'assertion_not_yet_valid'],
    [{ iat: now - 301 }, 'assertion_too_old'],
    [{ sub: undefined }, 'assertion_claims'],
    [{ sub: '' }, 'assertion_claims'],
    [{ sub: 'a\u0000b' }, 'assertion_claims'],
    [{ jti: undefined }, 'assertion_claims'],
    [{ jti: 7 }, 'assertion_claims'],
    [{ jti: 'x'.repeat(257) }, 'assertion_claims'],
    [{ client_id: 'b-client' }, 'assertion_client'],
    [{ client_id: ['a-client'] }, 'assertion_client'],
    [{ client_id: undefined }, 'assertion_client'],
    [{ tenant: 7 }, 'assertion_claims'],
    [{ tenant: '' }, 'assertion_claims'],
    [{ aud_tenant: 'acme' }, 'assertion_tenant'],
    [{ authorization_details: [{ type: 'note' }] }, 'assertion_details'],
    [{ scope: ['a'] }, 'assertion_claims'],
    [{ scope: 'a  b' }, 'assertion_claims'],
    [{ scope: 'a"b' }, 'assertion_claims'],
    [{ resource: [] }, 'assertion_claims'],
    [{ resource: ['r:1', 2] }, 'assertion_claims'],
    [
      {
        resource: 'r'
          .repeat(101)
          .split('')
          .map((r, n) => `${r}:${n}`),
      },
      'assertion_claims',
    ],
    [{ cnf: 'thumb' }, 'assertion_claims'],
    [{ cnf: {} }, 'assertion_claims'],
    [{ cnf: { jkt: 1 } }, 'assertion_claims'],
    [{ cnf: { jkt: 'thumb', 'x5t#S256': 'other' } }, 'assertion_claims'],
    [{ act: 'agent' }, 'assertion_claims'],
    [{ act: null }, 'assertion_claims'],
    [{ act: [] }, 'assertion_claims'],
    [{ act: { act: { sub: 'first' } } }, 'assertion_claims'],
    [
      { act: Array.from({ length: 11 }).reduce<object>((act) => ({ sub: 'x', act }), { sub: 'x' }) },
      'assertion_claims',
    ],
  ])('with %j is refused', async (claims, problem) => {
    expect(await verdict(await jag(claims))).toBe(problem);
  });

  it.each<[header: Record<string, unknown>, problem: string]>([
    [{ typ: undefined }, 'assertion_typ'],
    [{ typ: 'JWT' }, 'assertion_typ'],
    [{ typ: 'OAUTH-ID-JAG+JWT' }, 'assertion_typ'],
    [{ typ: 'application/oauth-id-jag+jwt' }, 'assertion_typ'],
    [{ typ: 'at+jwt' }, 'assertion_typ'],
    [{ kid: 'nobody' }, 'assertion_key_unknown'],
    [{ kid: 'rsa' }, 'assertion_alg'],
    [{ kid: 'twin' }, 'assertion_signature'],
  ])('with the header %j is refused', async (header, problem) => {
    expect(await verdict(await jag({}, header))).toBe(problem);
  });

  it('that asks to be understood in another way is refused', async () => {
    const [, payload, signature] = (await jag()).split('.');
    for (const member of [{ crit: ['x'] }, { b64: false }]) {
      const header = encode({ typ: 'oauth-id-jag+jwt', alg: 'ES256', kid: 'k1', ...member });
      expect(await verdict(`${header}.${payload}.${signature}`)).toBe('assertion_malformed');
    }
  });

  it('signed with nothing, or with a public key as a secret, is refused', async () => {
    const body = encode(good);
    for (const alg of ['none', 'None', 'HS256']) {
      const head = encode({ typ: 'oauth-id-jag+jwt', alg, kid: 'k1' });
      const mac = createHmac('sha256', JSON.stringify(keys[1])).update(`${head}.${body}`).digest('base64url');
      expect(await verdict(`${head}.${body}.${mac}`)).toBe('assertion_alg');
    }
  });

  it('that two readers could read differently is refused', async () => {
    const head = encode({ typ: 'oauth-id-jag+jwt', alg: 'ES256', kid: 'k1' });
    const twice = JSON.stringify(good).replace('"sub":"ada"', '"sub":"ada","sub":"root"');
    for (const text of ['', 'a.b', `${head}.${encode(twice)}.AA`, `${head}.W10.AA`, 'x'.repeat(20_000)])
      expect(await verdict(text)).toBe('assertion_malformed');
  });
});

describe('the JWT of a workload', () => {
  it('is about the program, and its other claims are words of others', async () => {
    const read = await verifyAssertion(await sign({ ...program, scope: 7, cnf: {}, act: 1 }), keys, workload);
    expect(read).toMatchObject({ subject: 'agent', jti: undefined });
    expect(await verdict(await sign({ ...program, jti: 'a' }, { typ: 'JWT' }), workload)).toBe('fine');
    expect(await verdict(await sign({ ...program, iat: now - 3500, exp: now + 100 }), workload)).toBe('fine');
  });

  it.each<[claims: object, header: object, problem: string]>([
    [{}, { typ: 'oauth-id-jag+jwt' }, 'assertion_typ'],
    [{}, { typ: 7 }, 'assertion_typ'],
    [{ exp: now + 3601 }, {}, 'assertion_too_old'],
    [{ aud: [AUDIENCE, 'kubernetes'] }, {}, 'assertion_audience'],
    [{ jti: '' }, {}, 'assertion_claims'],
  ])('with %j and %j is refused', async (claims, header, problem) => {
    expect(await verdict(await sign({ ...program, ...claims }, header), workload)).toBe(problem);
  });
});

describe('the origin of an assertion', () => {
  it('is what it says, unproven', async () => {
    expect(readOrigin(await jag())).toEqual({ issuer: ISSUER, kid: 'k1' });
    expect(readOrigin(await jag({}, { kid: undefined }))).toEqual({ issuer: ISSUER });
  });

  it('is not there in what is no JWT, or names nobody', async () => {
    expect(() => readOrigin('no-jwt')).toThrow(AssertionWrong);
    const nameless = await jag({ iss: undefined });
    expect(() => readOrigin(nameless)).toThrow('assertion_issuer');
  });
});
