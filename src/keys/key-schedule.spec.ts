import { describe, expect, it } from 'vitest';
import { activeKey, publishedKeys, statusOf, withNext, without, type KeyRecord } from './key-schedule.js';

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second));
const tail = 1_000;

function key(kid: string, activatesAt: Date): KeyRecord {
  return {
    kid,
    alg: 'ES256',
    publicJwk: { kty: 'EC', kid },
    sealedPrivateKey: undefined,
    createdAt: at(0),
    activatesAt,
  };
}

const kids = (keys: readonly KeyRecord[]) => keys.map(({ kid }) => kid);

describe('the schedule of signing keys', () => {
  it('signs with the first key where the clock is behind the one that made it', () => {
    expect(activeKey([key('a', at(10))], at(7))?.kid).toBe('a');
    expect(activeKey([], at(7))).toBeUndefined();
  });

  it('lets the newer key win when the clock of the second replica is behind', () => {
    const made = withNext([key('a', at(0))], key('b', at(13)), at(13), tail);
    const rotatedBehind = withNext(made, key('c', at(14)), at(14), tail);
    expect(activeKey(rotatedBehind, at(14))?.kid).toBe('c');
    const muchBehind = withNext(made, key('d', at(11)), at(11), tail);
    expect(activeKey(muchBehind, at(13))?.kid).toBe('d');
  });

  it('lets the newer key win within the same instant, and still publishes the older', () => {
    const keys = withNext([key('a', at(1))], key('b', at(1)), at(1), tail);
    expect(activeKey(keys, at(1))?.kid).toBe('b');
    expect(kids(publishedKeys(keys, at(1 + tail - 1)))).toEqual(['a', 'b']);
    expect(kids(publishedKeys(keys, at(1 + tail)))).toEqual(['b']);
  });

  it('counts the tail of the old key from the moment another one signs', () => {
    const keys = withNext([key('a', at(0))], key('b', at(600)), at(10), tail);
    expect(keys.map((one) => statusOf(one, keys, at(10)))).toEqual(['active', 'pending']);
    expect(keys.map((one) => statusOf(one, keys, at(600)))).toEqual(['retired', 'active']);
    expect(kids(publishedKeys(keys, at(600 + tail - 1)))).toEqual(['a', 'b']);
  });

  it('moves the end of the active key when a scheduled rotation is overtaken', () => {
    const scheduled = withNext([key('a', at(0))], key('b', at(600)), at(10), tail);
    const keys = withNext(scheduled, key('c', at(20)), at(20), tail);
    expect(keys.map(({ kid, retiredAt }) => [kid, retiredAt])).toEqual([
      ['a', at(20)],
      ['b', at(20)],
      ['c', undefined],
    ]);
    expect(activeKey(keys, at(700))?.kid).toBe('c');
    expect(kids(publishedKeys(keys, at(20)))).toEqual(['a', 'c']);
  });

  it('never signs with a revoked key', () => {
    const keys = without(withNext([key('a', at(0))], key('b', at(600)), at(10), tail), 'b', at(20));
    expect(activeKey(keys, at(700))).toMatchObject({ kid: 'a', retiredAt: undefined, publishedUntil: undefined });
    expect(keys.map((one) => statusOf(one, keys, at(700)))).toEqual(['active', 'revoked']);
    expect(kids(publishedKeys(keys, at(20)))).toEqual(['a']);
  });

  it('never signs with a retired key, but with the one that comes, when the one between is revoked', () => {
    const keys = withNext([key('a', at(0))], key('b', at(10)), at(10), tail);
    const forgotten = keys.map((one) => (one.kid === 'b' ? { ...one, revokedAt: at(20) } : one));
    expect(activeKey(forgotten, at(20))).toBeUndefined();
    expect(forgotten.map((one) => statusOf(one, forgotten, at(20)))).toEqual(['retired', 'revoked']);
    expect(activeKey([...forgotten, key('c', at(140))], at(20))?.kid).toBe('c');
  });
});
