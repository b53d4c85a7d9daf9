import { createHmac } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientSigningAlgs, type ClientSigningAlg } from './algorithms.js';
import { AssertionRefused, verifyClientAssertion, type ExpectedAssertion } from './client-assertion.js';
import { readPublicKeys, type PublicKey } from './public-keys.js';

const ISSUER = 'https://auth.example';
const now = new Date('2026-07-28T12:00:00Z');
const seconds = now.getTime() / 1000;
const CLAIMS = { iss: 'client', sub: 'client', aud: ISSUER, exp: seconds + 60, iat: seconds, jti: 'one' };

interface Pair {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: PublicKey;
}
const pairs = {} as Record<ClientSigningAlg, Pair>;
beforeAll(async () => {
  for (const alg of clientSigningAlgs) {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const [jwk] = readPublicKeys({ keys: [{ ...(await exportJWK(publicKey)), kid: `${alg}-key` }] });
    pairs[alg] = { privateKey, publicKey, jwk: jwk! };
  }
});

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

async function signed(claims: object = {}, header: object = {}, alg: ClientSigningAlg = 'ES256'): Promise<string> {
  return new SignJWT({ ...CLAIMS, ...claims })
    .setProtectedHeader({ alg, kid: `${alg}-key`, ...header })
    .sign(pairs[alg].privateKey);
}

async function checkOf(
  assertion: string,
  expected: Partial<ExpectedAssertion> = {},
  keys = [pairs.ES256.jwk],
): Promise<string> {
  try {
    await verifyClientAssertion(assertion, keys, { clientId: 'client', audiences: [ISSUER], now, ...expected });
    return 'passed';
  } catch (error) {
    if (error instanceof AssertionRefused) return error.check;
    throw error;
  }
}

describe('a client assertion', () => {
  it.each(clientSigningAlgs)('[J5] may be signed with %s, and then with nothing else', async (alg) => {
    const assertion = await signed({}, {}, alg);
    expect(await checkOf(assertion, {}, [pairs[alg].jwk])).toBe('passed');
    expect(await checkOf(assertion, { alg }, [pairs[alg].jwk])).toBe('passed');
    const other = alg === 'ES256' ? 'EdDSA' : 'ES256';
    expect(await checkOf(assertion, { alg: other }, [pairs[alg].jwk])).toBe('alg');
    expect(await checkOf(assertion, {}, [{ ...pairs[other].jwk, kid: `${alg}-key` }])).toBe('alg');
  });

  it('without kid, or with keys that have none, is tried with each key that fits, and no other will do', async () => {
    const { kid: _, ...nameless } = pairs.ES256.jwk;
    const { publicKey } = await generateKeyPair('ES256', { extractable: true });
    const stranger = await exportJWK(publicKey);
    const unnamed = await signed({}, { kid: undefined });
    expect(await checkOf(unnamed, {}, [{ ...stranger, kid: 'a' }, pairs.RS256.jwk, pairs.ES256.jwk])).toBe('passed');
    expect(
      await checkOf(unnamed, {}, [
        { ...stranger, kid: 'a' },
        { ...stranger, kid: 'b' },
      ]),
    ).toBe('signature');
    expect(await checkOf(unnamed, {}, [pairs.RS256.jwk])).toBe('alg');
    expect(await checkOf(await signed(), {}, [stranger, nameless])).toBe('passed');
    expect(await checkOf(await signed(), {}, [{ ...nameless, kid: 'other' }, stranger])).toBe('signature');
  });

  it('may call EdDSA by its newer name', async () => {
    const assertion = await signed({}, { alg: 'Ed25519', kid: 'EdDSA-key' }, 'EdDSA');
    for (const key of [pairs.EdDSA.jwk, { ...pairs.EdDSA.jwk, alg: 'EdDSA' }])
      expect(await checkOf(assertion, { alg: 'EdDSA' }, [key])).toBe('passed');
    expect(await checkOf(assertion, {}, [{ ...pairs.ES256.jwk, kid: 'EdDSA-key' }])).toBe('alg');
  });

  it('[J5] is held to the algorithm that its key names', async () => {
    const key = { ...pairs.RS256.jwk, alg: 'PS256' };
    expect(await checkOf(await signed({}, {}, 'RS256'), {}, [key])).toBe('alg');
  });

  it.each([[undefined], ['JWT'], ['jwt'], ['client-authentication+jwt'], ['application/client-authentication+jwt']])(
    'may have the type %s',
    async (typ) => expect(await checkOf(await signed({}, { typ }))).toBe('passed'),
  );

  it.each(['at+jwt', 'dpop+jwt', 'oauth-id-jag+jwt', '', 7])('may not have the type %s', async (typ) =>
    expect(await checkOf(await signed({}, { typ }))).toBe('typ'),
  );

  const claims: [what: string, claims: object, check: string][] = [
    ['[J3] one audience in an array', { aud: [ISSUER] }, 'passed'],
    ['[J3] two audiences', { aud: [ISSUER, 'https://other.example'] }, 'audience'],
    ['[J3] the issuer twice', { aud: [ISSUER, ISSUER] }, 'audience'],
    ['[J3] the token endpoint', { aud: `${ISSUER}/oauth/token` }, 'audience'],
    ['[J3] a slash behind the issuer', { aud: `${ISSUER}/` }, 'audience'],
    ['[J3] an issuer that begins like ours', { aud: `${ISSUER}.evil.example` }, 'audience'],
    ['[J3] a part of the issuer', { aud: 'https://auth' }, 'audience'],
    ['[J3] the issuer in another case', { aud: ISSUER.toUpperCase() }, 'audience'],
    ['[J1] no audience', { aud: undefined }, 'audience'],
    ['[J1] an empty list of audiences', { aud: [] }, 'audience'],
    ['[J2] another issuer', { iss: 'other' }, 'issuer'],
    ['[J2] another subject', { sub: 'other' }, 'subject'],
    ['[J1] no issuer', { iss: undefined }, 'issuer'],
    ['[J1] no subject', { sub: undefined }, 'subject'],
    ['[J1] no end', { exp: undefined }, 'expired'],
    ['[J1] an end in text', { exp: String(seconds + 60) }, 'expired'],
    ['[J1] an end that is now', { exp: seconds }, 'expired'],
    ['[J1] an end in five minutes', { exp: seconds + 300 }, 'passed'],
    ['[J1] an end a second later', { exp: seconds + 301 }, 'too_far_ahead'],
    ['[J1] an end half a second later', { exp: seconds + 300.5 }, 'too_far_ahead'],
    ['[J1] an end after the end of days', { exp: 1e300 }, 'too_far_ahead'],
    ['[J1] a beginning to come', { nbf: seconds + 120 }, 'not_yet_valid'],
    ['[J1] issued in the future', { iat: seconds + 120 }, 'not_yet_valid'],
    ['a clock that is a little ahead', { iat: seconds + 30, nbf: seconds + 30 }, 'passed'],
    ['no time of issue', { iat: undefined }, 'passed'],
    ['a time of issue in text', { iat: 'today' }, 'not_yet_valid'],
    ['[J4] no jti', { jti: undefined }, 'jti'],
    ['[J4] an empty jti', { jti: '' }, 'jti'],
    ['[J4] a jti that is a number', { jti: 7 }, 'jti'],
    ['[J4] a jti of 256 bytes', { jti: 'é'.repeat(128) }, 'passed'],
    ['[J4] a jti of 257 bytes', { jti: `${'é'.repeat(128)}x` }, 'jti'],
    ['[J4] a jti with U+0000', { jti: 'one\0' }, 'jti'],
    ['[J4] a jti with a lone surrogate', { jti: 'one\ud800' }, 'jti'],
  ];
  it.each(claims)('with %s', async (_, change, check) => expect(await checkOf(await signed(change))).toBe(check));
});

describe('[J5] a forged client assertion', () => {
  it('has no signature', async () => {
    const unsigned = `${encode({ alg: 'none' })}.${encode(CLAIMS)}.`;
    expect(await checkOf(unsigned)).toBe('alg');
    expect(await checkOf(`${unsigned}AAAA`)).toBe('alg');
  });

  it('is signed with the public key as an HMAC secret', async () => {
    for (const secret of [await exportSPKI(pairs.ES256.publicKey), JSON.stringify(pairs.ES256.jwk)]) {
      const input = `${encode({ alg: 'HS256', kid: 'ES256-key' })}.${encode(CLAIMS)}`;
      const mac = createHmac('sha256', secret).update(input).digest('base64url');
      expect(await checkOf(`${input}.${mac}`)).toBe('alg');
    }
  });

  it('brings its own key, or says where one is', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(publicKey);
    for (const header of [{ jwk }, { jku: 'https://evil.example/jwks' }, { x5u: 'https://evil.example/x5u' }]) {
      const forged = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'ES256', kid: 'ES256-key', ...header });
      expect(await checkOf(await forged.sign(privateKey))).toBe('signature');
      const unnamed = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'ES256', ...header });
      expect(await checkOf(await unnamed.sign(privateKey))).toBe('signature');
    }
  });

  it('names a key that the client does not have', async () => {
    expect(await checkOf(await signed({}, { kid: 'other' }))).toBe('kid');
  });

  it('says one thing twice', async () => {
    const [header = '', , signature = ''] = (await signed()).split('.');
    const payload = Buffer.from(`{"iss":"client","iss":"client"}`).toString('base64url');
    expect(await checkOf(`${header}.${payload}.${signature}`)).toBe('malformed');
  });

  it('asks for extensions that nobody here understands', async () => {
    for (const asked of [{ crit: ['x'], x: 1 }, { crit: ['b64'], b64: false }, { b64: false }, { b64: true }]) {
      const assertion = `${encode({ alg: 'ES256', ...asked })}.${encode(CLAIMS)}.AAAA`;
      expect(await checkOf(assertion)).toBe('malformed');
    }
  });
});
