import { describe, expect, it } from 'vitest';
import { storableJson } from './storable-json.js';

const roundTrip = (value: unknown): unknown => JSON.parse(storableJson(value));

describe('storableJson', () => {
  it('replaces U+0000 and lone surrogates, in values and in member names, at any depth', () => {
    expect(roundTrip({ a: 'x\0y', 'n\0': [{ b: '\ud800' }, '\udc00\ud800', '\0\0'] })).toEqual({
      a: 'x\ufffdy',
      'n\ufffd': [{ b: '\ufffd' }, '\ufffd\ufffd', '\ufffd\ufffd'],
    });
  });

  it('leaves surrogate pairs, other control characters and spelled-out escapes alone', () => {
    const plain = { text: 'grüße 🔑 \u0001\n\t"', spelled: '\\u0000 \\\\u0000 \\ud800', path: 'C:\\users\\u0000' };
    expect(roundTrip(plain)).toEqual(plain);
  });

  it('tells an escaped backslash from an escaping one, however many there are', () => {
    for (let count = 0; count < 6; count++) {
      const slashes = '\\'.repeat(count);
      expect(roundTrip(`${slashes}\0`)).toBe(`${slashes}\ufffd`);
      expect(roundTrip(`${slashes}u0000`)).toBe(`${slashes}u0000`);
    }
  });

  it('refuses what has no JSON', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    for (const value of [undefined, cycle, 1n]) expect(() => storableJson(value)).toThrow(TypeError);
  });
});
