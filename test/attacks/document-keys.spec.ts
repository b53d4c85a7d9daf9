import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyPair, asForm, assertionOf, outcomeOf } from '../assertions.js';
import { documentHost, documentsFromHere, type DocumentHost } from '../document-host.js';

const settings = { ...documentsFromHere, RATE_LIMIT_ENABLED: 'false', SERVER_TRUSTED_PROXIES: '127.0.0.1/32' };

let app: TestApp;
let host: DocumentHost;
beforeAll(async () => {
  host = await documentHost();
  app = await startTestApp({ settings });
});
afterAll(async () => {
  await app.close();
  await host.close();
});

const outcome = (form: Record<string, string>, options?: { at?: TestApp }): Promise<string> =>
  outcomeOf(app, form, options);

describe('[M13] a metadata document that declares private_key_jwt', () => {
  let documents = 0;
  async function documented(members: Record<string, unknown>): Promise<{ id: string; path: string }> {
    const path = `/desk-${++documents}.json`;
    const id = host.put(path, { members: { token_endpoint_auth_method: 'private_key_jwt', ...members } });
    const stored = await app.admin('PATCH', `/admin/clients/${encodeURIComponent(id)}`, { scope: 'notes:read' });
    expect(stored.status).toBe(200);
    return { id, path };
  }

  it('is enforced: with its keys, and not without', async () => {
    const pair = await aKeyPair();
    const { id } = await documented({ jwks: { keys: [pair.publicJwk] } });
    expect(await outcome({ client_id: id })).toBe('credentials_missing');
    expect(await outcome(asForm(await assertionOf(app, id, await aKeyPair())))).toBe('assertion_invalid kid');
    expect(await outcome(asForm(await assertionOf(app, id, pair)))).toBe('known');
  });

  it('may say where the keys are', async () => {
    const pair = await aKeyPair();
    const jwks_uri = host.put('/desk-keys.json', { body: JSON.stringify({ keys: [pair.publicJwk] }) });
    const { id } = await documented({ jwks_uri });
    expect(await outcome(asForm(await assertionOf(app, id, pair)))).toBe('known');
  });

  it('without keys is wrong', async () => {
    const { id, path } = await documented({ jwks: { keys: [(await aKeyPair()).publicJwk] } });
    host.put(path, { members: { token_endpoint_auth_method: 'private_key_jwt' } });
    app.clock.advance(3601);
    expect(await outcome({ client_id: id })).toBe('metadata_document_wrong');
  });

  it('later, where it declared none, is enforced from then on: a replica that never saw it does not take less', async () => {
    const pair = await aKeyPair();
    const { id, path } = await documented({ token_endpoint_auth_method: 'none' });
    expect(await outcome({ client_id: id })).toBe('known');
    host.put(path, {
      members: { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [pair.publicJwk] } },
    });
    app.clock.advance(3601);
    expect(await outcome({ client_id: id })).toBe('credentials_missing');
    expect(await outcome(asForm(await assertionOf(app, id, pair)))).toBe('known');
    host.put(path, { away: true });
    const late = await startTestApp({ settings, beside: app, clock: app.clock });
    expect(await outcome({ client_id: id }, { at: late })).toBe('credentials_missing');
    await late.close();
    const [row] = await app.sql('select token_endpoint_auth_method as method, scope from clients where id = $1', [id]);
    expect(row).toEqual({ method: 'private_key_jwt', scope: 'notes:read' });
  });

  it('that changes all the time is written down once a minute at most', async () => {
    const { id, path } = await documented({ token_endpoint_auth_method: 'none' });
    const versions = async () =>
      (await app.sql<{ version: string }>('select version from clients where id = $1', [id]))[0]?.version;
    app.clock.advance(3601);
    const seen: unknown[] = [];
    for (let n = 0; n < 4; n++) {
      host.put(path, { members: { client_name: `Desk ${n}` }, headers: { 'cache-control': 'no-store' } });
      expect(await outcome({ client_id: id })).toBe('known');
      seen.push(await versions());
    }
    expect(new Set(seen).size).toBe(1);
  });

  it('takes a key away by no longer naming it', async () => {
    const [pair, next] = [await aKeyPair(), await aKeyPair()];
    const { id, path } = await documented({ jwks: { keys: [pair.publicJwk] } });
    expect(await outcome(asForm(await assertionOf(app, id, pair)))).toBe('known');
    const members = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [next.publicJwk] } };
    host.put(path, { members });
    app.clock.advance(3601);
    expect(await outcome(asForm(await assertionOf(app, id, pair)))).toBe('assertion_invalid kid');
    expect(await outcome(asForm(await assertionOf(app, id, next)))).toBe('known');
  });
});
