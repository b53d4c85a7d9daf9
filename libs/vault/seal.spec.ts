import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyIdOf, open, seal, SealBroken } from './seal.js';

const key = randomBytes(32);
const plaintext = 'refresh token of a stranger';

function bytesOf(sealed: string): Buffer {
  return Buffer.from(sealed.split('.')[2] ?? '', 'base64url');
}

describe('seal', () => {
  it('opens to what was sealed', () => {
    const keyId = fc.stringMatching(/^[A-Za-z0-9_-]{0,64}$/);
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ unit: 'binary' }), keyId, (bytes, context, id) => {
        const sealed = seal(key, Buffer.from(bytes), context, id);
        expect(open(key, sealed, context)).toEqual(Buffer.from(bytes));
        expect(open(new Map([[id, key]]), sealed, context)).toEqual(Buffer.from(bytes));
        expect(keyIdOf(sealed)).toBe(id);
      }),
    );
  });

  it('takes text, and looks different each time', () => {
    const one = seal(key, plaintext, 'a');
    expect(open(key, one, 'a').toString()).toBe(plaintext);
    expect(seal(key, plaintext, 'a')).not.toBe(one);
    expect(one).toMatch(/^v1\.\.[A-Za-z0-9_-]+$/);
  });

  it('does not open in another context: a value copied to another row is worthless', () => {
    const sealed = seal(key, plaintext, 'signing-key:1');
    expect(() => open(key, sealed, 'signing-key:2')).toThrow(SealBroken);
    expect(() => open(key, sealed, '')).toThrow(SealBroken);
  });

  it('keeps key id and context apart: characters cannot move from one to the other', () => {
    const sealed = seal(key, plaintext, 'b', 'a');
    expect(() => open(key, sealed.replace('v1.a.', 'v1..'), 'ab')).toThrow(SealBroken);
    expect(() => open(key, sealed.replace('v1.a.', 'v1.ab.'), '')).toThrow(SealBroken);
  });

  it('does not open under another key, nor under a key id it was not sealed with', () => {
    const sealed = seal(key, plaintext, 'c', 'old');
    expect(() => open(randomBytes(32), sealed, 'c')).toThrow(SealBroken);
    expect(() => open(new Map([['new', key]]), sealed, 'c')).toThrow(SealBroken);
    expect(() => open(new Map([['new', key]]), sealed.replace('.old.', '.new.'), 'c')).toThrow(SealBroken);
  });

  it('finds the key by its id while keys are being changed', () => {
    const next = randomBytes(32);
    const keys = new Map([
      ['old', key],
      ['new', next],
    ]);
    expect(open(keys, seal(key, 'a', 'c', 'old'), 'c').toString()).toBe('a');
    expect(open(keys, seal(next, 'b', 'c', 'new'), 'c').toString()).toBe('b');
  });

  it('does not open after any bit was turned', () => {
    const sealed = seal(key, plaintext, 'c');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytesOf(sealed).length * 8 - 1 }), (bit) => {
        const bytes = bytesOf(sealed);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(() => open(key, `v1..${bytes.toString('base64url')}`, 'c')).toThrow(SealBroken);
      }),
    );
  });

  it('does not open when it was cut at any place', () => {
    const sealed = seal(key, plaintext, 'c');
    for (let length = 0; length < sealed.length; length++) {
      expect(() => open(key, sealed.slice(0, length), 'c')).toThrow(SealBroken);
    }
  });

  it('has one spelling', () => {
    const sealed = seal(key, 'ab', 'c');
    const others = [
      `${sealed}=`,
      `${sealed}\n`,
      ` ${sealed}`,
      `${sealed}.`,
      sealed.replace('v1', 'v2'),
      sealed.replace('v1', 'V1'),
      sealed.replace('..', '. .'),
    ];
    for (const other of others) {
      expect(() => open(key, other, 'c')).toThrow(SealBroken);
      expect(() => keyIdOf(other)).toThrow(SealBroken);
    }
  });

  it('tells nothing about what was wrong', () => {
    const failures = ['', 'v1..AAAA', seal(key, 'a', 'other'), seal(randomBytes(32), 'a', 'c')].map((sealed) => {
      try {
        return open(key, sealed, 'c').toString();
      } catch (error) {
        return error instanceof SealBroken ? [error.message, error.cause, Object.keys(error)] : error;
      }
    });
    expect(new Set(failures.map((failure) => JSON.stringify(failure))).size).toBe(1);
  });

  it('needs a key of 32 bytes and a short, plain key id', () => {
    expect(() => seal(randomBytes(16), 'a', 'c')).toThrow(RangeError);
    expect(() => open(randomBytes(16), seal(key, 'a', 'c'), 'c')).toThrow(RangeError);
    expect(() => seal(key, 'a', 'c', 'a.b')).toThrow(RangeError);
    expect(() => seal(key, 'a', 'c', 'a'.repeat(65))).toThrow(RangeError);
  });
});
