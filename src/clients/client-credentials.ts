import type { IncomingMessage } from 'node:http';
import { readClaimed } from '#libs/jwt';
import { clientAssertionType, isPlainText, OAuthError, type AuthMethod, type Form, type ReasonOf } from '#libs/oauth';
import { isUrlId } from './client.js';

/** What a request says about who sends it, before anything is believed. */
export type ClientCredentials =
  | { readonly method: Extract<AuthMethod, 'none'>; readonly id: string }
  | { readonly method: 'private_key_jwt'; readonly id: string; readonly assertion: string }
  | { readonly method: SecretMethod; readonly id: string; readonly secret: string };

type SecretMethod = Exclude<AuthMethod, 'none' | 'private_key_jwt'>;

/**
 * Reads client credentials from the Authorization header or the form, whichever carries them.
 *
 * A `client_id` in the body beside Basic is harmless if it is the same: the Python SDK sends one.
 * RFC 6749 §2.3: one method per request.
 *
 * @throws OAuthError `parameter-repeated`, `parameter-malformed`, `two-authentication-methods`, `client-authentication-failed`
 */
export function readCredentials(req: IncomingMessage, form: Form): ClientCredentials {
  const id = form.get('client_id');
  const secret = form.get('client_secret');
  const header = authorizationOf(req);
  if (form.has('client_assertion') || form.has('client_assertion_type')) {
    if (header !== undefined || secret !== undefined) throw twoMethods(id);
    return readAssertion(form, id);
  }
  if (header !== undefined) {
    if (secret !== undefined) throw twoMethods(id);
    const basic = readBasic(header);
    if (id !== undefined && id !== basic.id)
      throw new OAuthError('client-id-differs', 'client_id_differs', { facts: { clientId: basic.id } });
    return basic;
  }
  if (id === undefined) throw failed('credentials_missing');
  if (secret === undefined) return { method: 'none', id };
  if (isUrlId(id)) throw failed('auth_method_mismatch', id);
  return { method: 'client_secret_post', id, secret };
}

/** RFC 7521 §4.2: `client_id` may be left out, since the assertion names its subject. */
function readAssertion(form: Form, id: string | undefined): ClientCredentials {
  const assertion = form.get('client_assertion');
  if (assertion === undefined) throw assertionRefused('missing', id);
  if (form.get('client_assertion_type') !== clientAssertionType) throw assertionRefused('type', id);
  const subject = readClaimed(assertion)?.subject;
  if (typeof subject !== 'string' || !/^[\x21-\x7e]{1,1024}$/.test(subject)) throw assertionRefused('subject', id);
  if (id !== undefined && id !== subject) throw assertionRefused('client_id', id);
  return { method: 'private_key_jwt', id: subject, assertion };
}

/** Node keeps the first of two Authorization headers silently; a proxy in front may have looked at the other. */
export function authorizationOf(req: IncomingMessage): string | undefined {
  const headers = req.headersDistinct['authorization'] ?? [];
  if (headers.length > 1)
    throw new OAuthError('parameter-repeated', 'parameter_repeated', {
      fill: { parameter: 'the Authorization header' },
    });
  return headers[0];
}

/** RFC 7617, with id and secret form-encoded inside (RFC 6749 §2.3.1). What this server hands out is the same raw and encoded. */
function readBasic(header: string): ClientCredentials {
  const [, scheme = '', encoded = ''] = /^([A-Za-z0-9-]+) +(\S+)$/.exec(header) ?? [];
  if (scheme === '') throw malformed();
  if (scheme.toLowerCase() !== 'basic') throw failed('auth_method_mismatch');
  const pair = decodeBase64(encoded);
  const colon = pair.indexOf(':');
  if (colon < 1) throw malformed();
  const id = decodeFormValue(pair.slice(0, colon));
  const secret = decodeFormValue(pair.slice(colon + 1));
  // A URL has a colon of its own, and its document may not name a secret: sent raw, `https` is what stands before the colon.
  if (isUrlId(id) || (/^https?$/i.test(id) && secret.startsWith('//'))) throw failed('auth_method_mismatch', id);
  return { method: 'client_secret_basic', id, secret };
}

/** Strict: Buffer skips what is not base64, so that many spellings would mean one secret. */
function decodeBase64(encoded: string): string {
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) throw malformed();
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed();
  }
}

function decodeFormValue(encoded: string): string {
  try {
    const value = decodeURIComponent(encoded.replaceAll('+', ' '));
    if (!isPlainText(value) || value.length > 4096) throw malformed();
    return value;
  } catch {
    throw malformed();
  }
}

const malformed = (): OAuthError =>
  new OAuthError('parameter-malformed', 'parameter_malformed', { fill: { parameter: 'the Authorization header' } });

const twoMethods = (clientId?: string): OAuthError =>
  new OAuthError('two-authentication-methods', 'two_methods', { facts: clientId === undefined ? {} : { clientId } });

export type AuthenticationRefusal = ReasonOf<'client-authentication-failed'>;

/** @param clientId as the request named it, for the operator */
export const failed = (reason: AuthenticationRefusal, clientId?: string): OAuthError =>
  new OAuthError('client-authentication-failed', reason, { facts: clientId === undefined ? {} : { clientId } });

/** @param check which of them failed, for the operator */
export const assertionRefused = (check: string, clientId?: string, facts: Record<string, unknown> = {}): OAuthError =>
  new OAuthError('client-authentication-failed', 'assertion_invalid', {
    facts: { check, ...facts, ...(clientId === undefined ? {} : { clientId }) },
  });
