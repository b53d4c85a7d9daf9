import { describe, expect, it } from 'vitest';
import { isUuid, uuid7, uuid7Floor, uuidFromBytes, uuidToBytes } from './uuid7.js';

const AT = new Date('2026-11-20T10:00:00.123Z');

describe('uuid7', () => {
  it('has the version and the variant of RFC 9562', () => {
    for (let i = 0; i < 200; i++)
      expect(uuid7(AT)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('carries its time: later ids are greater, as text and so as bytes', () => {
    expect(uuid7(AT).slice(0, 13)).toBe(uuid7Floor(AT).slice(0, 13));
    expect(uuid7(AT) < uuid7(new Date(AT.getTime() + 1))).toBe(true);
  });

  it('never repeats within a millisecond', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => uuid7(AT))).size).toBe(10_000);
  });

  it('lies between the floors of its millisecond and the next', () => {
    const [low, high] = [uuid7Floor(AT), uuid7Floor(new Date(AT.getTime() + 1))];
    for (let i = 0; i < 200; i++) {
      const id = uuid7(AT);
      expect(id >= low && id < high).toBe(true);
    }
  });
});

describe('a UUID as bytes', () => {
  it('comes back as it was', () => {
    const id = uuid7(AT);
    expect(uuidToBytes(id)).toHaveLength(16);
    expect(uuidFromBytes(uuidToBytes(id))).toBe(id);
    const inside = Buffer.concat([Buffer.from('prefix'), uuidToBytes(id), Buffer.from('suffix')]);
    expect(uuidFromBytes(inside.subarray(6, 22))).toBe(id);
  });

  it('is refused when it is not sixteen bytes long', () => {
    expect(() => uuidFromBytes(Buffer.alloc(15))).toThrow(RangeError);
  });

  it('is recognised only in its canonical spelling', () => {
    const id = uuid7(AT);
    expect(isUuid(id)).toBe(true);
    for (const odd of ['', id.toUpperCase(), `{${id}}`, id.replaceAll('-', ''), `${id}\n`, `${id}0`])
      expect(isUuid(odd)).toBe(false);
  });
});
