import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OAuthError } from './errors.js';
import { symptoms } from './symptoms.js';

const allowed = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/;

describe('OAuthError', () => {
  it('takes code, status and public sentence from its symptom', () => {
    expect(new OAuthError('code-invalid', 'code_expired')).toMatchObject({
      code: 'invalid_grant',
      status: 400,
      description: 'authorization code has already been used or has expired',
      message: 'invalid_grant: code_expired',
      headers: {},
      facts: {},
    });
    expect(new OAuthError('body-too-large', 'body_too_large').status).toBe(413);
  });

  it('describes only in characters of RFC 6749, at most 500 of them, whatever is filled in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (problem) => {
        const { description } = new OAuthError('redirect-refused', 'redirect_invalid', { fill: { problem } });
        expect(description).toMatch(allowed);
        expect(description.length).toBeLessThanOrEqual(500);
      }),
    );
  });

  it('leaves out what nobody filled in', () => {
    expect(new OAuthError('parameter-missing', 'parameter_missing').description).toBe(' is required');
  });

  it('challenges a client that failed to authenticate, and tells when to try again', () => {
    const failed = new OAuthError('client-authentication-failed', 'secret_mismatch');
    expect(failed.headers).toEqual({ 'WWW-Authenticate': 'Basic realm="authserver"' });
    const away = new OAuthError('try-again', 'database_unavailable', { headers: { 'Retry-After': '7' } });
    expect(away.headers).toEqual({ 'Retry-After': '7' });
    expect(new OAuthError('try-again', 'database_unavailable').headers).toEqual({ 'Retry-After': '2' });
  });

  it('keeps the cause and the facts for the operator', () => {
    const cause = new Error('socket closed');
    const error = new OAuthError('server-error', 'unexpected', { cause, facts: { attempt: 2 } });
    expect(error.cause).toBe(cause);
    expect(error.facts).toEqual({ attempt: 2 });
    expect(error.description).toBe('internal error');
  });
});

describe('symptoms', () => {
  it.each(Object.entries(symptoms))('%s has a sentence that may be sent and at least one reason', (_, symptom) => {
    expect(symptom.description).toMatch(allowed);
    expect(Object.keys(symptom.reasons).join(' ')).toMatch(/^[a-z0-9_]+( [a-z0-9_]+)*$/);
  });
});
