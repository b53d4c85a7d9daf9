import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import { signingAlgs } from './algorithms.js';
import { generateSigningKey, importPrivate, importRemote, SigningKeyRefused } from './signing-key.js';

const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
const pemOf = {
  'RSA of 1024 bits': generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(pkcs8),
  'RSA-PSS': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey.export(pkcs8),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pkcs8),
  secp256k1: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export(pkcs8),
  Ed448: generateKeyPairSync('ed448').privateKey.export(pkcs8),
  X25519: generateKeyPairSync('x25519').privateKey.export(pkcs8),
} as const;

describe('signing keys', () => {
  it.each(signingAlgs)('for %s are generated, written as PEM and read back as the same key', async (alg) => {
    const { privatePem, publicJwk, kid } = await generateSigningKey(alg);
    const key = await importPrivate(privatePem, alg);
    expect(key).toMatchObject({ alg, kid, publicJwk });
    expect(publicJwk).toMatchObject({ kid, alg, use: 'sig' });
    expect(kid).toBe(await calculateJwkThumbprint(publicJwk));
  });

  it.each(signingAlgs)('for %s publish nothing private, and do not come out once imported', async (alg) => {
    const { privatePem, publicJwk } = await generateSigningKey(alg);
    const key = await importPrivate(privatePem, alg);
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(publicJwk).not.toHaveProperty(member);
    expect(Object.keys(key).toSorted()).toEqual(['alg', 'kid', 'publicJwk', 'sign']);
    expect(inspect(key, { showHidden: true, depth: 5 })).not.toMatch(/private|KeyObject/i);
  });

  it('are read from PKCS #1 and SEC1 as well', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' });
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' });
    expect((await importPrivate(rsa.toString(), 'RS256')).alg).toBe('RS256');
    expect((await importPrivate(ec.toString(), 'ES256')).alg).toBe('ES256');
  });

  it.each([
    ['RSA of 1024 bits', 'RS256'],
    ['RSA-PSS', 'RS256'],
    ['P-384', 'ES256'],
    ['secp256k1', 'ES256'],
    ['Ed448', 'EdDSA'],
    ['X25519', 'EdDSA'],
  ] as const)('of the kind %s are refused for %s', async (kind, alg) => {
    await expect(importPrivate(pemOf[kind].toString(), alg)).rejects.toThrow(SigningKeyRefused);
  });

  it('are refused for another algorithm than their own', async () => {
    const pems = await Promise.all(
      signingAlgs.map(async (alg) => ({ alg, pem: (await generateSigningKey(alg)).privatePem })),
    );
    for (const { alg, pem } of pems) {
      for (const other of signingAlgs.filter((candidate) => candidate !== alg)) {
        await expect(importPrivate(pem, other)).rejects.toThrow(`the key is not one for ${other}`);
      }
    }
  });

  it('are refused when they cannot be read, without a word of their text', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const unreadable = [
      '',
      'not a key',
      publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'secret' }).toString(),
    ];
    for (const pem of unreadable) {
      await expect(importPrivate(pem, 'EdDSA')).rejects.toThrow(/^not an unencrypted private key in PEM$/);
    }
  });

  it.each(signingAlgs)('for %s that sign elsewhere tell their own signatures from all others', async (alg) => {
    const { privatePem, publicJwk, kid } = await generateSigningKey(alg);
    const stranger = await importPrivate((await generateSigningKey(alg)).privatePem, alg);
    const pem = createPublicKey({ key: publicJwk as Record<string, string>, format: 'jwk' });
    const data = Buffer.from('header.claims');
    const signature = await (await importPrivate(privatePem, alg)).sign(data);
    for (const given of [publicJwk, pem.export({ type: 'spki', format: 'pem' }).toString()]) {
      const key = await importRemote(given, alg);
      expect(key).toMatchObject({ kid, publicJwk });
      expect(key.verify(data, signature)).toBe(true);
      expect(key.verify(Buffer.from('header.other'), signature)).toBe(false);
      expect(key.verify(data, await stranger.sign(data))).toBe(false);
      expect(key.verify(data, Buffer.alloc(0))).toBe(false);
    }
  });

  it.each([
    ['RSA of 1024 bits', 'RS256', 'an RSA key needs at least 2048 bits'],
    ['RSA-PSS', 'RS256', 'the key is not one for RS256'],
    ['P-384', 'ES256', 'the key is not one for ES256'],
  ] as const)('that sign elsewhere of the kind %s are refused for %s', async (kind, alg, problem) => {
    const pem = createPublicKey(pemOf[kind].toString()).export({ type: 'spki', format: 'pem' }).toString();
    await expect(importRemote(pem, alg)).rejects.toThrow(problem);
  });

  it('that sign elsewhere are refused when their public half cannot be read', async () => {
    for (const unreadable of ['', 'a key', { kty: 'OKP', crv: 'Ed25519', x: 'AA' }])
      await expect(importRemote(unreadable, 'EdDSA')).rejects.toThrow(SigningKeyRefused);
  });
});
