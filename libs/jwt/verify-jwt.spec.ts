import { createHmac, sign, createPrivateKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { signingAlgs, type SigningAlg } from './algorithms.js';
import { signJwt } from './sign-jwt.js';
import { generateSigningKey, importPrivate, type SigningKey } from './signing-key.js';
import { JwtRefused, verifyJwt, type ExpectedJwt } from './verify-jwt.js';

const issuer = 'https://auth.example.com';
const now = new Date('2026-10-01T12:00:00Z');
const seconds = now.getTime() / 1000;
const claims = { iss: issuer, sub: 'user', iat: seconds, exp: seconds + 900 };
const expected: ExpectedJwt = { typ: 'at+jwt', issuer, algorithms: signingAlgs, now };

const pems = new Map<SigningAlg, string>();
const keys = new Map<SigningAlg, SigningKey>();

beforeAll(async () => {
  for (const alg of signingAlgs) {
    const { privatePem } = await generateSigningKey(alg);
    pems.set(alg, privatePem);
    keys.set(alg, await importPrivate(privatePem, alg));
  }
});

function keyFor(alg: SigningAlg): SigningKey {
  const key = keys.get(alg);
  if (!key) throw new Error(`no key for ${alg}`);
  return key;
}

/** So many seconds after the token of these tests expires. */
const at = (offset: number) => ({ now: new Date((claims.exp + offset) * 1000) });

const encode = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');

/** A token whose header and payload are these very bytes, rightly signed by the Ed25519 key. */
function forged(header: string | object, payload: string | Uint8Array | object = claims): string {
  const [first, second] = [header, payload].map((part) =>
    encode(typeof part === 'string' || part instanceof Uint8Array ? part : JSON.stringify(part)),
  );
  const signature = sign(null, Buffer.from(`${first}.${second}`), createPrivateKey(pems.get('EdDSA') ?? ''));
  return `${first}.${second}.${encode(signature)}`;
}

async function reasonFor(jwt: string, expectation: Partial<ExpectedJwt> = {}, jwks = allKeys()): Promise<string> {
  try {
    await verifyJwt(jwt, jwks, { ...expected, ...expectation });
  } catch (error) {
    if (error instanceof JwtRefused) return error.reason;
    throw error;
  }
  return 'accepted';
}

const allKeys = () => signingAlgs.map((alg) => keyFor(alg).publicJwk);
const header = () => ({ alg: 'EdDSA', kid: keyFor('EdDSA').kid, typ: 'at+jwt' });

describe('verifyJwt', () => {
  it.each(signingAlgs)('gives back the claims signed by %s, and the key that signed them', async (alg) => {
    const key = keyFor(alg);
    const jwt = await signJwt(key, 'at+jwt', { ...claims, scope: 'read' });
    const verified = await verifyJwt(jwt, allKeys(), expected);
    expect(verified).toEqual({ payload: { ...claims, scope: 'read' }, kid: key.kid });
  });

  it('takes the forged token of these tests when nothing is wrong with it', async () => {
    expect(await reasonFor(forged(header()))).toBe('accepted');
    expect(await reasonFor(forged({ ...header(), typ: 'application/AT+JWT' }))).toBe('accepted');
  });

  it('refuses changed claims and a changed signature', async () => {
    const [first, , signature] = forged(header()).split('.');
    const changed = encode(JSON.stringify({ ...claims, sub: 'admin' }));
    expect(await reasonFor(`${first}.${changed}.${signature}`)).toBe('signature');
    expect(await reasonFor(`${first}.${encode(JSON.stringify(claims))}.${encode(new Uint8Array(64))}`)).toBe(
      'signature',
    );
    expect(await reasonFor(`${first}.${encode(JSON.stringify(claims))}.`)).toBe('signature');
  });

  it.each(['none', 'None', 'NONE', 'nOnE', ''])('refuses alg %j', async (alg) => {
    const unsigned = `${encode(JSON.stringify({ ...header(), alg }))}.${encode(JSON.stringify(claims))}.`;
    expect(await reasonFor(unsigned)).toBe('signature');
  });

  it('refuses HMAC keyed with a public key (algorithm confusion)', async () => {
    const { publicJwk, kid } = keyFor('RS256');
    for (const secret of [JSON.stringify(publicJwk), publicJwk.n ?? '', Buffer.from(publicJwk.n ?? '', 'base64url')]) {
      const body = `${encode(JSON.stringify({ alg: 'HS256', kid, typ: 'at+jwt' }))}.${encode(JSON.stringify(claims))}`;
      const mac = createHmac('sha256', secret).update(body).digest('base64url');
      expect(await reasonFor(`${body}.${mac}`)).toBe('signature');
    }
  });

  it('refuses HMAC even where somebody put a symmetric key into the set', async () => {
    const secret = Buffer.alloc(32, 7);
    const shared = { kty: 'oct', kid: 'shared', k: secret.toString('base64url') };
    for (const alg of ['HS256', 'EdDSA']) {
      const body = `${encode(JSON.stringify({ alg, kid: 'shared', typ: 'at+jwt' }))}.${encode(JSON.stringify(claims))}`;
      const mac = createHmac('sha256', secret).update(body).digest('base64url');
      expect(await reasonFor(`${body}.${mac}`, {}, [shared])).toBe('signature');
    }
  });

  it('refuses an algorithm that is not expected here', async () => {
    expect(await reasonFor(forged(header()), { algorithms: ['ES256'] })).toBe('signature');
  });

  it('refuses a kid whose key is of another algorithm', async () => {
    const jwt = forged({ ...header(), kid: keyFor('ES256').kid });
    expect(await reasonFor(jwt)).toBe('signature');
    const { publicJwk } = keyFor('EdDSA');
    expect(await reasonFor(forged(header()), {}, [{ ...publicJwk, alg: 'ES256' }])).toBe('signature');
    expect(await reasonFor(forged(header()), {}, [{ ...publicJwk, use: 'enc' }])).toBe('signature');
  });

  it('finds the key by its kind where a set names no alg, or has one kid twice', async () => {
    const { alg: _, ...unnamed } = keyFor('EdDSA').publicJwk;
    const { alg: __, ...other } = keyFor('ES256').publicJwk;
    expect(await reasonFor(forged(header()), {}, [{ ...other, kid: keyFor('EdDSA').kid }, unnamed])).toBe('accepted');
  });

  it('refuses the signature of a private key in the set, and of RSA below 2048 bits', async () => {
    const jwk = createPrivateKey(pems.get('EdDSA') ?? '').export({ format: 'jwk' });
    expect(await reasonFor(forged(header()), {}, [{ ...jwk, kty: 'OKP', kid: keyFor('EdDSA').kid }])).toBe('signature');
    const short = { kty: 'RSA', kid: 'short', n: encode(new Uint8Array(128).fill(0xc5)), e: 'AQAB' };
    const body = `${encode(JSON.stringify({ alg: 'RS256', kid: 'short', typ: 'at+jwt' }))}.${encode(JSON.stringify(claims))}`;
    expect(await reasonFor(`${body}.${encode(new Uint8Array(128))}`, {}, [short])).toBe('signature');
  });

  it('never uses a key the token brings along', async () => {
    const stranger = await generateSigningKey('ES256');
    const { publicJwk, privatePem } = stranger;
    const key = await importPrivate(privatePem, 'ES256');
    const brought = { jwk: publicJwk, jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x5u', x5c: ['AA'] };
    for (const kid of [stranger.kid, keyFor('ES256').kid]) {
      const body = `${encode(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid, ...brought }))}.${encode(JSON.stringify(claims))}`;
      const signature = await key.sign(Buffer.from(body));
      const reason = await reasonFor(`${body}.${encode(signature)}`);
      expect(reason).toBe(kid === stranger.kid ? 'kid_unknown' : 'signature');
    }
    expect(await reasonFor(forged({ ...header(), ...brought }))).toBe('accepted');
  });

  it.each([undefined, null, 7, '', 'unknown'])('refuses kid %j', async (kid) => {
    const { kid: _, ...nameless } = keyFor('EdDSA').publicJwk;
    expect(await reasonFor(forged({ ...header(), kid }), {}, [...allKeys(), nameless])).toBe('kid_unknown');
  });

  it.each([undefined, null, 7, 'JWT', 'dpop+jwt', 'at+jwt ', 'text/at+jwt'])('refuses typ %j', async (typ) => {
    expect(await reasonFor(forged({ ...header(), typ }))).toBe('typ');
  });

  it.each([['exp'], [], null])('refuses crit %j', async (crit) => {
    expect(await reasonFor(forged({ ...header(), crit }))).toBe('malformed');
  });

  it('refuses a member that occurs twice, which parsers read differently', async () => {
    const twice = JSON.stringify(header()).replace('{', '{"alg":"none",');
    expect(await reasonFor(forged(twice))).toBe('malformed');
    expect(await reasonFor(forged(header(), JSON.stringify(claims).replace('{', '{"sub":"admin",')))).toBe('malformed');
    expect(
      await reasonFor(
        forged(header(), JSON.stringify({ ...claims, cnf: 0 }).replace('"cnf":0', '"cnf":{"jkt":"a","jk\\u0074":"b"}')),
      ),
    ).toBe('malformed');
  });

  it('refuses what is no compact JWS of two JSON objects', async () => {
    const jwt = forged(header());
    const [first, second, signature] = jwt.split('.');
    const malformed = [
      '',
      'abc',
      `${first}.${second}`,
      `${jwt}.${signature}`,
      `${jwt}=`,
      `${jwt}\n`,
      ` ${jwt}`,
      `${first}..${signature}`,
      `.${second}.${signature}`,
      forged('[]'),
      forged('"EdDSA"'),
      forged('null'),
      forged(header(), '[]'),
      forged(header(), 'null'),
      forged(header(), Buffer.from(JSON.stringify({ ...claims, sub: '\u00ff' }), 'latin1')),
      forged(header(), `\ufeff${JSON.stringify(claims)}`),
      forged(header(), { ...claims, padding: 'a'.repeat(16 * 1024) }),
    ];
    for (const text of malformed) expect(await reasonFor(text)).toBe('malformed');
  });

  it.each([
    ['no exp', { exp: undefined }],
    ['no iat', { iat: undefined }],
    ['exp as text', { exp: '9999999999' }],
    ['iat as text', { iat: '0' }],
    ['nbf as text', { nbf: '0' }],
    ['exp null', { exp: null }],
  ])('refuses %s', async (_, changed) => {
    expect(await reasonFor(forged(header(), { ...claims, ...changed }))).toBe('claims_missing');
  });

  it('refuses an exp that is no finite number', async () => {
    expect(
      await reasonFor(forged(header(), JSON.stringify({ ...claims, exp: 0 }).replace('"exp":0', '"exp":1e999'))),
    ).toBe('claims_missing');
  });

  it.each([undefined, 'https://evil.example', `${issuer}/`, [issuer]])('refuses the issuer %j', async (iss) => {
    expect(await reasonFor(forged(header(), { ...claims, iss }))).toBe('issuer');
  });

  it('decides time by the clock it is given: valid until exp, not at it', async () => {
    const jwt = forged(header());
    expect(await reasonFor(jwt, at(-1))).toBe('accepted');
    expect(await reasonFor(jwt, at(0))).toBe('expired');
    expect(await reasonFor(jwt, { ...at(59), clockToleranceSeconds: 60 })).toBe('accepted');
    expect(await reasonFor(jwt, { ...at(60), clockToleranceSeconds: 60 })).toBe('expired');
  });

  it('lets iat and nbf lie a minute ahead, as clocks of replicas differ, and no more', async () => {
    for (const claim of ['iat', 'nbf']) {
      expect(await reasonFor(forged(header(), { ...claims, [claim]: seconds + 60 }))).toBe('accepted');
      expect(await reasonFor(forged(header(), { ...claims, [claim]: seconds + 61 }))).toBe('not_yet_valid');
    }
  });

  it('says nothing of the reason in its message', async () => {
    await expect(verifyJwt('abc', [], expected)).rejects.toThrow(/^the JWT was refused$/);
  });
});
