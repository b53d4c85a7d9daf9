import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OAuthError } from './errors.js';
import { formatScope, parseScope } from './scope.js';

const token = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]{1,12}$/);

describe('scopes', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.uniqueArray(token, { maxLength: 100 }), (scopes) => {
        expect(parseScope(formatScope(scopes))).toEqual(scopes);
      }),
    );
  });

  it('are kept once each, in the order of their first mention', () => {
    expect(parseScope('write read write admin read')).toEqual(['write', 'read', 'admin']);
  });

  it('may be separated by more than one space', () => {
    expect(parseScope('  read  write ')).toEqual(['read', 'write']);
    expect(parseScope('')).toEqual([]);
  });

  it.each(['read\twrite', 'read\nwrite', 'a"b', 'a\\b', 'lesen\u00e9', 'a\u00a0b', 'a\u0000', '\x7f'])(
    'refuses %j',
    (text) => {
      expect(() => parseScope(text)).toThrow(OAuthError);
    },
  );

  it('are at most 100', () => {
    const scopes = Array.from({ length: 100 }, (_, index) => `s${index}`);
    expect(parseScope(formatScope([...scopes, 's0']))).toHaveLength(100);
    expect(() => parseScope(formatScope([...scopes, 'one-more']))).toThrow(
      expect.objectContaining({ symptom: 'parameter-malformed', description: 'scope is malformed' }),
    );
  });
});
