import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import fc from 'fast-check';
import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { proofAlgs, ProofRefused, targetUrl, verifyProof, type ExpectedProof, type ProofAlg } from './index.js';

const url = 'https://auth.example.com/oauth/token';
const seconds = 1_800_000_000;
const now = new Date(seconds * 1000);
const expected: ExpectedProof = { method: 'POST', url, now, lifetimeSeconds: 60, algorithms: proofAlgs };
const claims = { jti: 'a-jti', htm: 'POST', htu: url, iat: seconds };

const keys: Record<ProofAlg, KeyObject> = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  EdDSA: generateKeyPairSync('ed25519').privateKey,
};

const privateJwk = (alg: ProofAlg): JWK => keys[alg].export({ format: 'jwk' }) as JWK;
function publicJwk(alg: ProofAlg): JWK {
  const { kty, crv, x, y, n, e } = privateJwk(alg);
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as JWK;
}

const header = () => ({ typ: 'dpop+jwt', alg: 'EdDSA', jwk: publicJwk('EdDSA') });
const encode = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');

/** A proof whose header and payload are these very texts, rightly signed by the Ed25519 key. */
function forged(head: string | object, body: string | object = claims): string {
  const [first, second] = [head, body].map((part) => encode(typeof part === 'string' ? part : JSON.stringify(part)));
  return `${first}.${second}.${encode(sign(null, Buffer.from(`${first}.${second}`), keys.EdDSA))}`;
}

async function reasonFor(proof: string, expectation: Partial<ExpectedProof> = {}): Promise<string> {
  try {
    await verifyProof(proof, { ...expected, ...expectation });
  } catch (error) {
    if (error instanceof ProofRefused) return error.reason;
    throw error;
  }
  return 'accepted';
}

const unreservedCharacter = /^[A-Za-z0-9._~-]$/;
const escapeOf = (character: string): string => `%${character.charCodeAt(0).toString(16)}`;

const withClaims = (changed: object): Promise<string> => reasonFor(forged(header(), { ...claims, ...changed }));

describe('verifyProof', () => {
  it.each(proofAlgs)('[D1] takes a proof by %s and gives the thumbprint of its key', async (alg) => {
    const jwk = publicJwk(alg);
    const proof = await new SignJWT({ ...claims, nonce: 'a-nonce' })
      .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk: { ...jwk, use: 'sig', kid: 'mine' } })
      .sign(createPrivateKey({ key: privateJwk(alg) as never, format: 'jwk' }));
    const jkt = await calculateJwkThumbprint(jwk, 'sha256');
    expect(await verifyProof(proof, expected)).toEqual({ jkt, jti: 'a-jti', nonce: 'a-nonce', iat: seconds });
    expect(await reasonFor(proof, { algorithms: proofAlgs.filter((other) => other !== alg) })).toBe('header');
  });

  it('[D1] knows EdDSA by its newer name, which asks for the same key (RFC 9864)', async () => {
    expect(await reasonFor(forged({ ...header(), alg: 'Ed25519' }))).toBe('accepted');
    expect(await reasonFor(forged({ ...header(), alg: 'Ed25519', jwk: publicJwk('ES256') }))).toBe('header');
    expect(await reasonFor(forged({ ...header(), alg: 'Ed448' }))).toBe('header');
    const without = proofAlgs.filter((alg) => alg !== 'EdDSA');
    expect(await reasonFor(forged({ ...header(), alg: 'Ed25519' }), { algorithms: without })).toBe('header');
  });

  it('[D18] refuses any typ but dpop+jwt, so that no other signed JWT serves as a proof', async () => {
    expect(await reasonFor(forged(header()))).toBe('accepted');
    for (const typ of [undefined, null, 7, 'JWT', 'at+jwt', 'application/dpop+jwt', 'dpop+jwt ']) {
      expect(await reasonFor(forged({ ...header(), typ }))).toBe('header');
    }
  });

  it.each(['none', 'None', 'HS256', 'HS512', 'ES384', '', undefined, 7])('[D1] refuses alg %j', async (alg) => {
    expect(await reasonFor(forged({ ...header(), alg }))).toBe('header');
    const unsigned = `${encode(JSON.stringify({ ...header(), alg }))}.${encode(JSON.stringify(claims))}.`;
    expect(await reasonFor(unsigned)).toBe('header');
  });

  it('[D18] refuses HMAC keyed with the public key it brings (algorithm confusion)', async () => {
    for (const alg of ['HS256', 'RS256'] as const) {
      const jwk = publicJwk('RS256');
      const body = `${encode(JSON.stringify({ ...header(), alg, jwk }))}.${encode(JSON.stringify(claims))}`;
      const mac = createHmac('sha256', JSON.stringify(jwk)).update(body).digest('base64url');
      expect(await reasonFor(`${body}.${mac}`)).toBe(alg === 'HS256' ? 'header' : 'signature');
    }
  });

  it('[D1] refuses a key that is private, symmetric, of another kind, malformed or costly', async () => {
    const ed = publicJwk('EdDSA');
    const refused: unknown[] = [
      undefined,
      null,
      'a',
      [],
      {},
      privateJwk('EdDSA'),
      { kty: 'oct', k: 'AAAA' },
      { ...ed, k: 'AAAA' },
      { ...ed, d: null },
      publicJwk('ES256'),
      { ...ed, crv: 'X25519' },
      { ...ed, kty: 'EC' },
      { ...ed, kty: undefined },
      { ...ed, x: 7 },
      { ...ed, x: undefined },
      { ...ed, x: `${ed.x}=` },
      { ...ed, x: encode(new Uint8Array(33)) },
    ];
    for (const jwk of refused) expect([jwk, await reasonFor(forged({ ...header(), jwk }))]).toEqual([jwk, 'header']);
    const rsa = { ...header(), alg: 'RS256' };
    for (const jwk of [
      { ...publicJwk('RS256'), n: encode(new Uint8Array(513).fill(0xc5)) },
      { ...publicJwk('RS256'), e: encode(new Uint8Array(256).fill(0xc5)) },
      { ...publicJwk('RS256'), n: `${publicJwk('RS256').n}=` },
      { ...publicJwk('RS256'), p: 'AAAA' },
      { ...publicJwk('RS256'), kty: 'oct' },
    ]) {
      expect(await reasonFor(forged({ ...rsa, jwk }))).toBe('header');
    }
    const short = { kty: 'RSA', n: encode(new Uint8Array(128).fill(0xc5)), e: 'AQAB' };
    expect(await reasonFor(forged({ ...rsa, jwk: short }))).toBe('signature');
    expect(await reasonFor(forged({ ...header(), jwk: { ...ed, x: encode(new Uint8Array(32)) } }))).toBe('signature');
  });

  it('[D1] refuses changed claims, a changed signature and a critical header', async () => {
    const [first, second, signature] = forged(header()).split('.');
    const changed = encode(JSON.stringify({ ...claims, jti: 'another' }));
    expect(await reasonFor(`${first}.${changed}.${signature}`)).toBe('signature');
    expect(await reasonFor(`${first}.${second}.${encode(new Uint8Array(64))}`)).toBe('signature');
    expect(await reasonFor(forged({ ...header(), crit: ['exp'], exp: 1 }))).toBe('header');
  });

  it('[P2] refuses a member that occurs twice, in the header, its key and the claims', async () => {
    const head = JSON.stringify(header());
    const body = JSON.stringify(claims);
    expect(await reasonFor(forged(head.replace('{', '{"alg":"none",')))).toBe('header');
    expect(await reasonFor(forged(head.replace('"kty"', '"x":"AA","kty"')))).toBe('header');
    expect(await reasonFor(forged(head, body.replace('{', '{"htu":"https://evil.example",')))).toBe('header');
  });

  it('[D1] refuses what is no compact JWS of two objects, or is too long', async () => {
    const proof = forged(header());
    const [first, second] = proof.split('.');
    const malformed = ['', 'abc', `${first}.${second}`, `${proof}.a`, `${proof}=`, ` ${proof}`, forged('[]')];
    for (const text of malformed) expect(await reasonFor(text)).toBe('header');
    expect(await reasonFor(forged(header(), { ...claims, padding: 'a'.repeat(8 * 1024) }))).toBe('header');
  });

  it('[D16] takes a jti and a nonce of 1 to 256 bytes of plain text', async () => {
    for (const text of ['a', 'a'.repeat(256), 'ä'.repeat(128)]) {
      expect([await withClaims({ jti: text }), await withClaims({ nonce: text })]).toEqual(['accepted', 'accepted']);
    }
    for (const text of ['', 'a'.repeat(257), 'ä'.repeat(129), 'a\u0000', 'a\ud800', 7, null, ['a']]) {
      expect([await withClaims({ jti: text }), await withClaims({ nonce: text })]).toEqual(['claims', 'claims']);
    }
    expect(await withClaims({ jti: undefined })).toBe('claims');
  });

  it('[D2] wants htm to be the method, in its case', async () => {
    for (const htm of [undefined, 'GET', 'post', ['POST']]) expect(await withClaims({ htm })).toBe('htm');
  });

  it('[D2] wants htu to be the URL after normalization, and says which one it got', async () => {
    for (const htu of [
      `${url}?a=b#c`,
      'HTTPS://Auth.Example.com:443/oauth/token',
      'https://auth.example.com/./x/../oauth/%74oken',
    ]) {
      expect([htu, await withClaims({ htu })]).toEqual([htu, 'accepted']);
    }
    for (const htu of [
      undefined,
      7,
      '',
      'https://auth.example.com/oauth/token/',
      'http://auth.example.com/oauth/token',
      'https://auth.example.com:8443/oauth/token',
      'https://auth.example.com/oauth/TOKEN',
      'https://auth.example.com\\oauth\\token',
      'https://me@auth.example.com/oauth/token',
      'https://auth.example.com/oauth/\ttoken',
    ]) {
      expect([htu, await withClaims({ htu })]).toEqual([htu, 'htu']);
    }
    const refused = verifyProof(forged(header(), { ...claims, htu: 'https://evil.example/' }), expected);
    await expect(refused).rejects.toMatchObject({
      received: 'https://evil.example/',
      message: 'the DPoP proof was refused',
    });
  });

  it('[D3] takes an iat at most the lifetime away, before or after', async () => {
    for (const iat of [seconds - 60, seconds + 60, seconds + 0.5]) expect(await withClaims({ iat })).toBe('accepted');
    for (const iat of [seconds - 61, seconds + 61, `${seconds}`, null, undefined]) {
      expect(await withClaims({ iat })).toBe('iat');
    }
    const endless = JSON.stringify({ ...claims, iat: 0 }).replace('"iat":0', '"iat":1e999');
    expect(await reasonFor(forged(header(), endless))).toBe('iat');
  });
});

describe('whatever is sent as a proof', () => {
  const odd = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.constantFrom('POST', url, seconds, 'EdDSA'));

  it('any text is refused as malformed, and nothing but ProofRefused is thrown', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        expect(await reasonFor(text)).toBe('header');
      }),
    );
  });

  function isShortPlainText(value: unknown): boolean {
    return typeof value === 'string' && /^[^\p{Cc}\p{Cs}]+$/u.test(value) && Buffer.byteLength(value) <= 256;
  }

  /** Which values of one claim leave a good proof good, written down once more and without the code under test. */
  const isGood: Record<string, (value: unknown) => boolean> = {
    jti: isShortPlainText,
    nonce: isShortPlainText,
    htm: (value) => value === 'POST',
    htu: (value) => value === url,
    iat: (value) => typeof value === 'number' && value >= seconds - 60 && value <= seconds + 60,
    ath: () => true,
  };
  const values = fc.oneof(
    odd,
    fc.string({ unit: 'binary', minLength: 80, maxLength: 300 }),
    fc.integer({ min: seconds - 70, max: seconds + 70 }),
  );

  it('a rightly signed proof with anything else in one claim is taken exactly if that claim is in order', async () => {
    const seen = new Set<boolean>();
    const change = fc.tuple(fc.constantFrom(...Object.keys(isGood)), values);
    await fc.assert(
      fc.asyncProperty(change, async ([claim, value]) => {
        const text = JSON.stringify({ ...claims, [claim]: value });
        const reason = await reasonFor(forged(header(), text));
        // What JSON makes of it is what arrives.
        const arrived = (JSON.parse(text) as Record<string, unknown>)[claim];
        const good = isGood[claim]!(arrived);
        seen.add(good);
        expect([claim, value, reason === 'accepted']).toEqual([claim, value, good]);
      }),
      { numRuns: 400 },
    );
    expect(seen).toEqual(new Set([true, false]));
  });

  it('a good proof with one character more, less or other anywhere is refused', async () => {
    const good = forged(header());
    const characters = [...'ABab01-_.=+/ \u0000'];
    const change = fc.tuple(fc.nat(good.length), fc.constantFrom(0, 1), fc.constantFrom('', ...characters));
    await fc.assert(
      fc.asyncProperty(change, async ([at, cut, put]) => {
        const changed = good.slice(0, at) + put + good.slice(at + cut);
        expect([changed, (await reasonFor(changed)) === 'accepted']).toEqual([changed, changed === good]);
      }),
      { numRuns: 300 },
    );
  });

  it('a header with anything else in one of its members is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('typ', 'alg', 'jwk'), fc.jsonValue(), async (member, value) => {
        expect(await reasonFor(forged({ ...header(), [member]: value }))).toBe('header');
      }),
    );
  });
});

describe('targetUrl', () => {
  it('gives equivalent spellings one form, and only those', () => {
    expect(targetUrl('https://EXAMPLE.com/%7Euser/%c3%a9/a%2fb')).toBe('https://example.com/~user/%C3%A9/a%2Fb');
    expect(targetUrl('http://localhost:80')).toBe('http://localhost/');
    expect(targetUrl('https://a.example/@scope/x?to=a@b')).toBe('https://a.example/@scope/x');
    for (const wrong of [
      'ftp://a/',
      '//a',
      'https://',
      'https:///a/',
      'https://@a/',
      'https://me@a',
      'https://a\\b/',
      'https://?a',
      'https://a:99999/',
      'https://a/é',
      `https://a/${'b'.repeat(2048)}`,
    ]) {
      expect(targetUrl(wrong)).toBeUndefined();
    }
  });

  it('is the same however a URL is spelled, and another for another path', () => {
    const segment = fc.string({ unit: fc.constantFrom(...'abzAZ09-._~@!$()*,;=:'), minLength: 1, maxLength: 8 });
    const paths = fc.array(
      segment.filter((text) => !/^\.+$/.test(text)),
      { minLength: 1, maxLength: 4 },
    );
    const spelled = fc.tuple(
      paths,
      paths,
      fc.infiniteStream(fc.boolean()),
      fc.constantFrom('', '?a=b', '#c', '?a@b#c'),
    );
    fc.assert(
      fc.property(spelled, ([path, other, coins, rest]) => {
        const plain = `https://auth.example.com/${path.join('/')}`;
        const escaped = [...path.join('/')].map((character) =>
          unreservedCharacter.test(character) && coins.next().value ? escapeOf(character) : character,
        );
        expect(targetUrl(`HTTPS://Auth.EXAMPLE.com:443/x/../${escaped.join('')}${rest}`)).toBe(targetUrl(plain));
        const elsewhere = `https://auth.example.com/${other.join('/')}`;
        expect(targetUrl(elsewhere) === targetUrl(plain)).toBe(elsewhere === plain);
      }),
    );
  });

  it('is its own fixed point', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (text) => {
        const once = targetUrl(text);
        expect(once === undefined ? undefined : targetUrl(once)).toBe(once);
      }),
    );
  });
});
