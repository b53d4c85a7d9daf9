import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { keysText, KeySetRefused, readPublicKeys } from './public-keys.js';

let ec: JWK;
let ecPrivate: JWK;
let rsa: JWK;
beforeAll(async () => {
  const pair = await generateKeyPair('ES256', { extractable: true });
  [ec, ecPrivate] = [await exportJWK(pair.publicKey), await exportJWK(pair.privateKey)];
  rsa = await exportJWK((await generateKeyPair('RS256', { extractable: true })).publicKey);
});

function problemOf(value: unknown): string {
  try {
    readPublicKeys(value);
    return 'none';
  } catch (error) {
    if (error instanceof KeySetRefused) return error.problem;
    throw error;
  }
}

describe('a set of public keys', () => {
  it('is read with what is needed to verify, and nothing else', () => {
    const keys = readPublicKeys({ keys: [{ ...ec, kid: 'a', x5c: ['x'], note: 'y' }, rsa], other: 1 });
    expect(keys).toEqual([{ ...ec, kid: 'a' }, rsa]);
  });

  it('may hold keys for other purposes, which count for nothing', () => {
    const others = [{ ...ec, use: 'enc' }, { kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA' }, { kty: 'XYZ' }];
    expect(readPublicKeys({ keys: [...others, ec] })).toEqual([ec]);
    expect(problemOf({ keys: others })).toContain('holds no key for ES256, RS256, PS256, EdDSA');
  });

  it('is the same set whatever the order of its members', () => {
    const turned = Object.fromEntries(Object.entries(ec).toReversed()) as JWK;
    expect(keysText([turned as typeof ec & { kty: string }])).toBe(keysText(readPublicKeys({ keys: [ec] })));
  });

  const refused: [what: string, set: () => unknown, problem: string][] = [
    ['a private EC key', () => ({ keys: [ecPrivate] }), 'private or symmetric'],
    ['a private key beside a good one', () => ({ keys: [ec, { ...rsa, d: 'AA' }] }), 'private or symmetric'],
    ['a prime of an RSA key', () => ({ keys: [{ ...rsa, p: 'AA' }] }), 'private or symmetric'],
    ['a private key of a kind unknown here', () => ({ keys: [ec, { kty: 'XYZ', d: 'AA' }] }), 'private or symmetric'],
    ['a symmetric key', () => ({ keys: [{ kty: 'oct', k: 'AA' }] }), 'private or symmetric'],
    ['a symmetric key without its value', () => ({ keys: [{ kty: 'oct' }] }), 'private or symmetric'],
    ['eleven keys', () => ({ keys: Array(11).fill(ec) }), '10 keys'],
    ['17 KiB', () => ({ keys: [ec], padding: 'x'.repeat(17 * 1024) }), '16384 bytes'],
    ['no keys', () => ({ keys: [] }), 'holds no key'],
    ['a list', () => [ec], 'not a JWK set'],
    ['null', () => null, 'not a JWK set'],
    ['a key that is text', () => ({ keys: ['x'] }), 'not a JWK set'],
    ['a point off its curve', () => ({ keys: [{ ...ec, y: ec.x }] }), 'holds no key'],
    ['a short modulus', () => ({ keys: [{ ...rsa, n: rsa.n?.slice(0, 171) }] }), 'holds no key'],
    ['a huge modulus', () => ({ keys: [{ ...rsa, n: 'x'.repeat(3000) }] }), 'holds no key'],
    ['a huge exponent', () => ({ keys: [{ ...rsa, e: 'x'.repeat(300) }] }), 'holds no key'],
    ['a kid that no database can store', () => ({ keys: [{ ...ec, kid: 'a\0' }] }), 'holds no key'],
    ['a kid that is a number', () => ({ keys: [{ ...ec, kid: 7 }] }), 'holds no key'],
  ];
  it.each(refused)('may not hold %s', (_, set, problem) => expect(problemOf(set())).toContain(problem));
});
