import { describe, expect, it } from 'vitest';
import { deriveKey } from './derive-key.js';

describe('deriveKey', () => {
  it('gives the same 32 bytes for the same root and purpose, for ever', () => {
    expect(deriveKey('root', 'csrf').toString('hex')).toBe(
      'e0008eac17517ed91afb63580a5a51795e331ea71cdd8fa2f03b03723cc4f9d6',
    );
    expect(deriveKey(Buffer.from('root'), 'csrf')).toEqual(deriveKey('root', 'csrf'));
  });

  it('gives another key for another root or purpose', () => {
    const keys = [deriveKey('root', 'a'), deriveKey('root', 'b'), deriveKey('other', 'a')];
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(3);
  });

  it('needs a root and a purpose', () => {
    expect(() => deriveKey('', 'csrf')).toThrow(RangeError);
    expect(() => deriveKey(Buffer.alloc(0), 'csrf')).toThrow(RangeError);
    expect(() => deriveKey('root', '')).toThrow(RangeError);
  });
});
