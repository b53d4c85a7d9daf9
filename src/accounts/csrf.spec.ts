import type { Request } from 'express';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config/load-config.js';
import { Csrf } from './csrf.js';

const SECRET = 'a-session-secret-of-enough-characters';

function csrfOf(secret = SECRET, issuer = 'http://localhost:9000'): Csrf {
  return new Csrf(
    loadConfig({ env: { AUTHPLANE_SESSION_SECRET: secret, AUTHPLANE_SERVER_ISSUER: issuer }, cwd: '/nowhere' }),
  );
}

const from = (headers: Record<string, string> = {}): Request => ({ headers }) as unknown as Request;

const csrf = csrfOf();
const token = csrf.token('a-session', 'account');

const refusal = (
  headers: Record<string, string>,
  given: string | undefined = token,
  binding = 'a-session',
  context = 'account',
): string => {
  try {
    csrf.require(from(headers), given, binding, context);
    return 'accepted';
  } catch (error) {
    return (error as { reason: string }).reason;
  }
};

describe('a CSRF token', () => {
  it('is accepted from the form it was made for', () => {
    expect(refusal({})).toBe('accepted');
    expect(refusal({ origin: 'http://localhost:9000', 'sec-fetch-site': 'same-origin' })).toBe('accepted');
  });

  it.each([
    ['nothing', undefined, 'a-session', 'account'],
    ['nonsense', 'AAAA', 'a-session', 'account'],
    ['that of another session', token, 'another-session', 'account'],
    ['that of another form', token, 'a-session', 'logout'],
    [
      'that of another server',
      csrfOf('another-secret-of-enough-characters!').token('a-session', 'account'),
      'a-session',
      'account',
    ],
  ])('is refused when it is %s', (_, given, binding, context) => {
    expect(refusal({}, given ?? '', binding, context)).toBe('csrf_mismatch');
  });

  it('keeps binding and context apart', () => {
    expect(csrf.token('a', 'b c')).not.toBe(csrf.token('a b', 'c'));
    expect(csrf.token('a","b', 'c')).not.toBe(csrf.token('a', 'b","c'));
  });
});

describe('where the form stood', () => {
  it.each([
    [{ origin: 'https://evil.example' }],
    [{ origin: 'http://localhost:9001' }],
    [{ origin: 'https://localhost:9000' }],
    [{ origin: 'null' }],
    [{ origin: 'null', 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'null', 'sec-fetch-site': 'none' }],
    [{ origin: 'http://localhost:9000', 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
  ])('refuses a post with %j, even with the right token', (headers) => {
    expect(refusal(headers)).toBe('cross_site_post');
  });

  it('believes a null origin only beside Sec-Fetch-Site: same-origin, which is what our own pages send', () => {
    expect(refusal({ origin: 'null', 'sec-fetch-site': 'same-origin' })).toBe('accepted');
  });

  it('compares the origin only, when the issuer has a path', () => {
    const tenant = csrfOf(SECRET, 'http://localhost:9000/tenant');
    const given = tenant.token('b', 'c');
    expect(() => tenant.require(from({ origin: 'http://localhost:9000' }), given, 'b', 'c')).not.toThrow();
  });
});
