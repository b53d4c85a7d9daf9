import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClientSecretStore } from '../../src/clients/client-secret.store.js';
import { ClientStore } from '../../src/clients/client.store.js';
import { KnownClients } from '../../src/clients/known-clients.js';
import { ClockModule } from '../../src/platform/clock/clock.module.js';
import { Database } from '../../src/platform/postgres/database.js';
import { PostgresModule } from '../../src/platform/postgres/postgres.module.js';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyClient, aKeyPair, asForm, assertionOf } from '../assertions.js';
import {
  aConfidentialClient,
  aFlow,
  aResource,
  postForm,
  refresh,
  tokensOf,
  type ClientFixture,
  type TokenResponse,
} from '../builders.js';
import { whileHeld } from '../held-lock.js';

/** Two replicas on one database. The other one remembers a client and the resources; then something changes through this one. */
let one: TestApp;
let other: TestApp;
beforeAll(async () => {
  const settings = { RATE_LIMIT_ENABLED: 'false', CLIENT_CREDENTIALS_ENABLED: 'true' };
  one = await startTestApp({ settings });
  other = await startTestApp({ beside: one, settings, clock: one.clock });
});
afterAll(async () => {
  await other.close();
  await one.close();
});

const MACHINE = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'notes:read notes:write' };
const ask = (client: ClientFixture, more: Record<string, string> = {}): Promise<TokenResponse> =>
  postForm(other, '/oauth/token', { grant_type: 'client_credentials', ...more }, client);
const outcome = ({ status, body }: TokenResponse): string => `${status} ${body.error ?? body.scope}`;
const issuedFor = async (clientId: string): Promise<number> =>
  (await one.sql('select jti from issuances where client_id = $1', [clientId])).length;

async function aRememberedMachine(): Promise<ClientFixture> {
  const client = await aConfidentialClient(one, MACHINE);
  for (const _ of [1, 2]) expect(outcome(await ask(client))).toBe('200 notes:read notes:write');
  return client;
}

describe('a client that is remembered', () => {
  it('keeps nothing of what the database sent besides', async () => {
    const { id } = await aConfidentialClient(one, MACHINE);
    const imports = [ClockModule.of(one.clock), PostgresModule.of(one.connection, { maxConns: 1 })];
    const module = await Test.createTestingModule({ imports }).compile();
    const database = module.get(Database);
    const { secrets } = await new KnownClients(new ClientStore(database), new ClientSecretStore(database)).read(id);
    expect(secrets.map(({ secretHash }) => [secretHash.length, secretHash.buffer.byteLength])).toEqual([[32, 32]]);
    await module.close();
  });

  it('is not read again', async () => {
    const client = await aRememberedMachine();
    const answers: TokenResponse[] = [];
    await whileHeld(
      one,
      'lock table client_secrets in access exclusive mode',
      () => postForm(other, '/oauth/introspect', { token: 'x' }, client), // which looks, and waits
      async () => answers.push(await ask(client)),
    );
    expect(answers.map(outcome)).toEqual(['200 notes:read notes:write']);
  });

  it.each<[string, (client: ClientFixture) => Promise<unknown>]>([
    ['suspended', ({ id }) => one.admin('PATCH', `/admin/clients/${id}/suspend`)],
    ['revoked', ({ id }) => one.admin('PATCH', `/admin/clients/${id}/revoke`)],
    ['deleted', ({ id }) => one.admin('DELETE', `/admin/clients/${id}?force=true`)],
    ['given another secret', ({ id }) => one.admin('POST', `/admin/clients/${id}/rotate-secret`, { overlap: '0s' })],
  ])('gets nothing from the next request on when it was %s', async (_, change) => {
    const client = await aRememberedMachine();
    const changed = (await change(client)) as { status: number };
    expect([200, 204]).toContain(changed.status);
    expect(outcome(await ask(client))).toBe('401 invalid_client');
    expect(await issuedFor(client.id)).toBe(2);
  });

  it('is let in by its new secret, though the former one is remembered', async () => {
    const { id } = await aRememberedMachine();
    const { body } = await one.admin('POST', `/admin/clients/${id}/rotate-secret`, { overlap: '0s' });
    expect(outcome(await ask({ id, secret: body.client_secret, redirectUri: '' }))).toBe('200 notes:read notes:write');
  });

  it('has the ceiling of now, lowered or raised', async () => {
    const client = await aRememberedMachine();
    await one.admin('PATCH', `/admin/clients/${client.id}`, { scope: 'notes:read' });
    expect(outcome(await ask(client))).toBe('200 notes:read');
    await one.admin('PATCH', `/admin/clients/${client.id}`, { scope: 'notes:read files:read' });
    expect(outcome(await ask(client, { scope: 'files:read' }))).toBe('200 files:read');
  });

  it('finds a resource that was made since, and none that is gone', async () => {
    const client = await aRememberedMachine();
    const { id, uri } = await aResource(one);
    expect(outcome(await ask(client, { resource: uri }))).toBe('200 notes:read notes:write');
    await one.admin('DELETE', `/admin/resources/${id}`);
    expect(outcome(await ask(client, { resource: uri }))).toBe('400 invalid_target');
  });

  it('is not given a lost answer again once it was suspended: nothing is stored, so that nothing else would tell', async () => {
    const begun = await aFlow(one, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens, ...granted } = await tokensOf(begun);
    const at = { ...granted, app: other };
    const first = await refresh(at, tokens.refresh_token);
    expect((await refresh(at, tokens.refresh_token)).body.access_token).toBe(first.body.access_token);
    await one.admin('PATCH', `/admin/clients/${at.client.id}/suspend`);
    expect(outcome(await refresh(at, tokens.refresh_token))).toBe('401 invalid_client');
  });

  it('uses its assertion once, though the request is decided twice', async () => {
    const { pair, ...client } = await aKeyClient(one, MACHINE);
    const asking = async (key = pair): Promise<TokenResponse> =>
      ask(client, asForm(await assertionOf(one, client.id, key)));
    expect(outcome(await asking())).toBe('200 notes:read notes:write');
    await one.admin('PATCH', `/admin/clients/${client.id}`, { scope: 'notes:read' });
    const assertion = await assertionOf(one, client.id, pair);
    expect(outcome(await ask(client, asForm(assertion)))).toBe('200 notes:read');
    expect(outcome(await ask(client, asForm(assertion)))).toBe('401 invalid_client');

    const next = await aKeyPair();
    await one.admin('PATCH', `/admin/clients/${client.id}`, { jwks: { keys: [next.publicJwk] } });
    expect(outcome(await asking(pair))).toBe('401 invalid_client');
    expect(outcome(await asking(next))).toBe('200 notes:read');
  });
});
