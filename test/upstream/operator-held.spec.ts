import 'reflect-metadata';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeyConnector } from '../../src/broker/connectors/api-key.connector.js';
import { JwtBearerConnector } from '../../src/broker/connectors/jwt-bearer.connector.js';
import { UpstreamCalls } from '../../src/broker/connectors/upstream-calls.js';
import type { Protocol, Provider } from '../../src/broker/provider.js';
import { ProviderSecrets } from '../../src/broker/provider-secrets.js';
import { loadConfig } from '../../src/config/load-config.js';
import { SecretReferences } from '../../src/config/secret-references.js';
import { AesMaster } from '../../src/encryption/aes-master.js';
import { GuardedFetch } from '../../src/platform/http-client/guarded-fetch.js';
import { SettableClock } from '../app.js';
import { serve, type LocalServer } from '../outgoing.js';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

const env: Record<string, string> = {
  CONNECTOR_PEM: pem,
  CONNECTOR_EC: ec.toString(),
  CONNECTOR_SMALL: small.toString(),
  CONNECTOR_NONSENSE: '{"private_key": "planted',
  CONNECTOR_FILE: JSON.stringify({ client_email: 'file@acme.example', private_key: pem, private_key_id: 'key-7' }),
  CONNECTOR_KEY: 'planted-api-key',
};
const secrets = new ProviderSecrets(new SecretReferences(env), new AesMaster('ab'.repeat(32)));
const clock = new SettableClock();
const calls = new UpstreamCalls(new GuardedFetch(), clock, loadConfig({ env: {} }));
const accounts = new JwtBearerConnector(calls, secrets, clock);
const keys = new ApiKeyConnector(secrets);

/** What upstream was told last, and what it answers. */
const told: URLSearchParams[] = [];
let answer: { status: number; body: object } = { status: 200, body: {} };
let server: LocalServer;
beforeAll(async () => {
  server = await serve(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    told.push(new URLSearchParams(Buffer.concat(chunks).toString()));
    res.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
});
afterAll(() => server.close());

function provider(protocol: Protocol, config: object, sealedSecret?: string): Provider {
  const now = new Date();
  const configData = JSON.stringify(config);
  return {
    id: randomUUID(),
    slug: 'acme',
    displayName: '',
    protocol,
    configData,
    sealedSecret,
    createdAt: now,
    updatedAt: now,
  };
}

const account = (config: object) =>
  provider('service_account', { token_url: `http://127.0.0.1:${server.port}/token`, ...config });

describe('a service account', () => {
  const good = { status: 200, body: { access_token: 'vended', token_type: 'Bearer', expires_in: 3599 } };

  it('proves itself by a signature, as RFC 7523 has it, and gets a token for the scopes', async () => {
    answer = good;
    const at = account({ client_email: 'us@acme.example', private_key_ref: 'CONNECTOR_PEM', private_key_id: 'k1' });
    const token = await accounts.vend(at, undefined, ['https://acme.example/read', 'b']);
    expect(token).toEqual({ accessToken: 'vended', expiresInSeconds: 3599, scopes: undefined });
    const form = told.at(-1);
    expect(form?.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    const assertion = form?.get('assertion') ?? '';
    const { payload } = await jwtVerify(assertion, publicKey, {
      audience: `http://127.0.0.1:${server.port}/token`,
      issuer: 'us@acme.example',
      currentDate: clock.now(),
    });
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'RS256', kid: 'k1', typ: 'JWT' });
    expect(payload).toMatchObject({ scope: 'https://acme.example/read b', exp: (payload.iat ?? 0) + 300 });
    expect(payload).not.toHaveProperty('sub');
  });

  it('reads the file in which Google gives a key', async () => {
    answer = good;
    await accounts.vend(account({ private_key_ref: 'CONNECTOR_FILE', audience: 'https://aud.example' }), undefined, []);
    const assertion = told.at(-1)?.get('assertion') ?? '';
    const { payload } = await jwtVerify(assertion, publicKey, { currentDate: clock.now() });
    expect(payload).toMatchObject({ iss: 'file@acme.example', aud: 'https://aud.example' });
    expect(decodeProtectedHeader(assertion).kid).toBe('key-7');
    expect(payload).not.toHaveProperty('scope');
  });

  it('speaks in the name of a person only where the operator says so, and never of nobody', async () => {
    answer = good;
    const config = { client_email: 'us@acme.example', private_key_ref: 'CONNECTOR_PEM' };
    const subjectOf = async (more: object, email?: string) => {
      await accounts.vend(account({ ...config, ...more }), undefined, ['a'], email);
      return (await jwtVerify(told.at(-1)?.get('assertion') ?? '', publicKey, { currentDate: clock.now() })).payload
        .sub;
    };
    expect(await subjectOf({}, 'ada@people.example')).toBeUndefined();
    expect(await subjectOf({ subject: 'person_email' }, 'ada@people.example')).toBe('ada@people.example');
    await expect(subjectOf({ subject: 'person_email' })).rejects.toThrow('person_without_email');
    expect(accounts.traits(account({ ...config, subject: 'person_email' })).speaksForPeople).toBe(true);
    expect(accounts.traits(account(config)).speaksForPeople).toBe(false);
  });

  it('that upstream refuses is the operator’s to mend', async () => {
    answer = { status: 400, body: { error: 'invalid_grant' } };
    const at = account({ client_email: 'us@acme.example', private_key_ref: 'CONNECTOR_PEM' });
    await expect(accounts.vend(at, undefined, [])).rejects.toMatchObject({
      name: 'UpstreamMisconfigured',
      code: 'invalid_grant',
    });
  });

  it.each([
    ['an EC key for RS256', 'CONNECTOR_EC', 'private_key'],
    ['a key of 1024 bits', 'CONNECTOR_SMALL', 'private_key'],
    ['a file cut short', 'CONNECTOR_NONSENSE', 'private_key'],
    ['a variable that is not set', 'CONNECTOR_NOWHERE', 'secret_missing'],
  ])('with %s asks nobody, and says nothing of it', async (_, reference, code) => {
    const asked = told.length;
    const at = account({ client_email: 'us@acme.example', private_key_ref: reference });
    const error: unknown = await accounts.vend(at, undefined, []).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'UpstreamMisconfigured', code });
    expect((error as Error).cause).toBeUndefined();
    expect(told.length).toBe(asked);
  });
});

describe('an API key', () => {
  it('is handed out as it is, without an end', async () => {
    const at = provider('api_key', { api_key_ref: 'CONNECTOR_KEY' });
    expect(await keys.vend(at, undefined, ['a'])).toEqual({ accessToken: 'planted-api-key', scopes: ['a'] });
    expect(keys.traits().cacheAccessTokens).toBe(false);
  });

  it('comes out of the row it was sealed for, and of no other', async () => {
    const at = provider('api_key', {});
    const sealedSecret = await secrets.seal(at.id, 'sealed-key');
    expect(sealedSecret).not.toContain('sealed-key');
    expect((await keys.vend({ ...at, sealedSecret }, undefined, [])).accessToken).toBe('sealed-key');
    const other = provider('api_key', {}, sealedSecret);
    await expect(keys.vend(other, undefined, [])).rejects.toMatchObject({ code: 'secret_unreadable' });
    const flipped = sealedSecret.slice(0, -3) + (sealedSecret.at(-3) === 'A' ? 'B' : 'A') + sealedSecret.slice(-2);
    await expect(keys.vend({ ...at, sealedSecret: flipped }, undefined, [])).rejects.toMatchObject({
      code: 'secret_unreadable',
    });
  });
});
