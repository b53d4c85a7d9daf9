import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { challengeOf, isCodeChallenge, isCodeVerifier } from './pkce.js';

const verifier = fc.stringMatching(/^[A-Za-z0-9\-._~]{43,128}$/);

describe('PKCE', () => {
  it('agrees with the example of RFC 7636, Appendix B', () => {
    expect(challengeOf('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
  });

  it('makes a well-formed challenge of every well-formed verifier, and another one of another', () => {
    fc.assert(
      fc.property(verifier, verifier, (one, other) => {
        expect(isCodeVerifier(one)).toBe(true);
        expect(isCodeChallenge(challengeOf(one))).toBe(true);
        expect(challengeOf(one) === challengeOf(other)).toBe(one === other);
      }),
    );
  });

  it.each(['', 'a'.repeat(42), 'a'.repeat(129), `${'a'.repeat(43)}\n`, `${'a'.repeat(43)}+`, 'é'.repeat(43)])(
    'takes %j for no verifier',
    (text) => {
      expect(isCodeVerifier(text)).toBe(false);
    },
  );

  it.each(['', 'a'.repeat(42), 'a'.repeat(44), `${'a'.repeat(42)}=`, `${'a'.repeat(42)}~`, `${'a'.repeat(43)}\n`])(
    'takes %j for no challenge',
    (text) => {
      expect(isCodeChallenge(text)).toBe(false);
    },
  );
});
