import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { expect } from 'vitest';
import type { TestApp } from './app.js';
import { aClient, type ClientFixture } from './builders.js';

export interface KeyPair {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export async function aKeyPair(alg = 'ES256'): Promise<KeyPair> {
  const kid = randomUUID();
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid } };
}

export interface KeyClient extends ClientFixture {
  readonly pair: KeyPair;
}

/** A client with private_key_jwt, registered by the operator. */
export async function aKeyClient(app: TestApp, draft: Record<string, unknown> = {}): Promise<KeyClient> {
  const pair = await aKeyPair();
  const keys = 'jwks_uri' in draft ? {} : { jwks: { keys: [pair.publicJwk] } };
  const client = await aClient(app, { token_endpoint_auth_method: 'private_key_jwt', ...keys, ...draft });
  return { ...client, pair };
}

/** A good assertion of `clientId`, but for the claims and header members given. */
export async function assertionOf(
  app: TestApp,
  clientId: string,
  { alg, kid, privateKey }: Pick<KeyPair, 'alg' | 'kid' | 'privateKey'>,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const now = Math.floor(app.clock.now().getTime() / 1000);
  const all = { iss: clientId, sub: clientId, aud: app.issuer, iat: now, exp: now + 60, jti: randomUUID(), ...claims };
  return new SignJWT(all).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
}

export const asForm = (assertion: string): Record<string, string> => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: assertion,
});

let sender = 0;
/**
 * What a request with these parameters comes to: `known`, or the error with its private reason and check. Each comes from another
 * address: the app trusts forwarded ones.
 */
export async function outcomeOf(
  app: TestApp,
  form: Record<string, string>,
  { at = app, authorization = '' } = {},
): Promise<string> {
  sender += 1;
  const response = await fetch(`${at.url}/oauth/token`, {
    method: 'POST',
    headers: {
      'x-forwarded-for': `203.0.${sender >> 8}.${sender & 255}`,
      ...(authorization ? { authorization } : {}),
    },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'none', ...form }),
  });
  const body = (await response.json()) as { error: string; error_description: string; request_id: string };
  if (body.error === 'invalid_grant') return 'known';
  if (response.status !== 401) return `${response.status} ${body.error}`;
  expect([body.error, body.error_description]).toEqual(['invalid_client', 'client authentication failed']);
  expect(response.headers.get('www-authenticate')).toBe('Basic realm="authserver"');
  const [event] = await app.sql<{ reason: string; detail: { check?: string } }>(
    'select reason, detail from audit_events where request_id = $1 and reason is not null',
    [body.request_id],
  );
  return [event?.reason, event?.detail.check].filter(Boolean).join(' ');
}
