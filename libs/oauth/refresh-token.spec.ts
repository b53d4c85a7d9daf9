import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from './bearer-value.js';
import { RefreshTokenFormat } from './refresh-token.js';

const format = new RefreshTokenFormat(randomBytes(32));
const prefix = 'ap_rt_';

function bytesOf(token: string): Buffer {
  return Buffer.from(token.slice(prefix.length), 'base64url');
}

describe('refresh tokens', () => {
  it('give back family and generation, and are genuine', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: 2 ** 32 - 1 }), (familyId, generation) => {
        const { value, hash } = format.create(familyId, generation);
        expect(format.read(value)).toEqual({ familyId, generation, hash, genuine: true });
        expect(hash).toEqual(sha256(value));
        expect(value).toMatch(/^ap_rt_[A-Za-z0-9_-]{70}$/);
      }),
    );
  });

  it('differ each time', () => {
    const familyId = randomUUID();
    expect(format.create(familyId, 1).value).not.toBe(format.create(familyId, 1).value);
  });

  it('are not genuine under another key, so that a known family id cannot end a family', () => {
    const familyId = randomUUID();
    const foreign = new RefreshTokenFormat(randomBytes(32)).create(familyId, 3).value;
    expect(format.read(foreign)).toMatchObject({ familyId, generation: 3, genuine: false });
  });

  it('are not genuine after any bit was turned', () => {
    const { value } = format.create(randomUUID(), 7);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 52 * 8 - 1 }), (bit) => {
        const bytes = bytesOf(value);
        bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(format.read(prefix + bytes.toString('base64url'))?.genuine).toBe(false);
      }),
    );
  });

  it('have one spelling: unused bits in the last character make no second token', () => {
    const { value } = format.create(randomUUID(), 1);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const readable = [...alphabet].filter((last) => format.read(value.slice(0, -1) + last)?.genuine);
    expect(readable).toEqual([value.at(-1)]);
  });

  it.each(['', 'ap_rt_', `ap_rt_${'A'.repeat(69)}`, `ap_rt_${'A'.repeat(71)}`, `ap_rx_${'A'.repeat(70)}`])(
    'do not look like %j',
    (text) => {
      expect(format.read(text)).toBeUndefined();
    },
  );

  it('need a long key, a UUID and a generation of 32 bits', () => {
    expect(() => new RefreshTokenFormat(randomBytes(31))).toThrow(RangeError);
    expect(() => format.create('family', 1)).toThrow(TypeError);
    expect(() => format.create(randomUUID(), 2 ** 32)).toThrow(RangeError);
    expect(() => format.create(randomUUID(), -1)).toThrow(RangeError);
  });

  it('do not follow a key that is wiped later', () => {
    const key = randomBytes(32);
    const kept = new RefreshTokenFormat(key);
    const { value } = kept.create(randomUUID(), 1);
    key.fill(0);
    expect(kept.read(value)?.genuine).toBe(true);
  });
});
