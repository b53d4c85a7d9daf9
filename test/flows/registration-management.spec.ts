import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aResource, audited, aUser, introspect, aConfidentialClient, tokensOf } from '../builders.js';
import { manage, registered, type Registered } from '../registrations.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false', OAUTH_DEFAULT_CLIENT_SCOPE: 'notes:read' } });
});
afterAll(() => app.close());

const events = async ({ client_id }: Registered, action: string) =>
  (await audited(app, action)).filter((row) => row.client_id === client_id);

describe('[7592.1] a client that registered itself', () => {
  it('reads its registration, without a secret', async () => {
    const made = await registered(app);
    const { client_secret: _, client_secret_expires_at: __, ...readable } = made;
    const { status, headers, body } = await manage(app, made, 'GET');
    expect([status, body]).toEqual([200, readable]);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('keeps a hash of the token and nothing else', async () => {
    const made = await registered(app);
    const [row] = await app.sql<{ hash: Buffer }>('select registration_token_hash as hash from clients where id = $1', [
      made.client_id,
    ]);
    expect(row?.hash).toHaveLength(32);
    expect(app.logged.join('\n')).not.toContain(made.registration_access_token);
    expect(JSON.stringify((await app.admin('GET', `/admin/clients/${made.client_id}`)).body)).not.toContain('ap_rg_');
  });

  it('replaces what it said of itself: what is left out is gone, what operators decided stays', async () => {
    const made = await registered(app, {
      client_name: 'Before',
      agent_description: 'Reads',
      logo_uri: 'https://a.dev/l',
    });
    await app.admin('PATCH', `/admin/clients/${made.client_id}`, { access_token_ttl: 60, scope: 'notes:write' });
    const redirect_uris = ['https://app.example/moved'];
    const { status, body } = await manage(app, made, 'PUT', { client_id: made.client_id, redirect_uris });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      client_id: made.client_id,
      client_name: 'Unnamed client',
      agent_description: '',
      redirect_uris,
      scope: 'notes:write',
      registration_access_token: made.registration_access_token,
      registration_client_uri: made.registration_client_uri,
    });
    expect((await app.admin('GET', `/admin/clients/${made.client_id}`)).body.access_token_ttl).toBe(60);
    expect(await events(made, 'client.updated')).toMatchObject([{ detail: { source: 'dcr' } }, {}]);
    expect((await manage(app, made, 'GET')).body).toEqual(body);
  });

  it('asks for consent again after a change of its redirects', async () => {
    const made = await registered(app);
    app.clock.advance(60);
    await manage(app, made, 'PUT', { client_id: made.client_id, redirect_uris: ['https://app.example/moved'] });
    const [row] = await app.sql<{ security_changed_at: Date }>('select * from clients where id = $1', [made.client_id]);
    expect(row?.security_changed_at).toEqual(app.clock.now());
  });

  it('goes on with the secret it has, by the other way of sending it too', async () => {
    const made = await registered(app);
    const { client_id, client_secret, redirect_uris } = made;
    const token_endpoint_auth_method = 'client_secret_post';
    const changed = { client_id, client_secret, redirect_uris, token_endpoint_auth_method };
    expect((await manage(app, made, 'PUT', changed)).body).toMatchObject({ token_endpoint_auth_method });
    expect(await app.sql('select id from client_secrets where client_id = $1', [client_id])).toHaveLength(1);
  });

  it('ends itself, its consents and its tokens', async () => {
    const made = await registered(app);
    const [user, resource, reader] = await Promise.all([aUser(app), aResource(app), aConfidentialClient(app)]);
    const client = { id: made.client_id, secret: made.client_secret, redirectUri: made.redirect_uris[0]! };
    const { tokens } = await tokensOf({ app, client, user, resource }, { scope: 'notes:read' });
    await app.admin('PATCH', `/admin/resources/${resource.id}/policy/runtime`, { client_ids: [reader.id] });
    const { status, body } = await manage(app, made, 'DELETE');
    expect([status, body]).toEqual([204, {}]);
    expect(await app.sql('select id from clients where id = $1', [made.client_id])).toEqual([]);
    expect(
      await app.sql('select id from consents where client_id = $1 and revoked_at is null', [made.client_id]),
    ).toEqual([]);
    expect(await introspect(app, tokens.access_token, reader)).toEqual({ active: false });
    expect(await events(made, 'client.deleted')).toMatchObject([{ detail: { source: 'dcr' } }]);
  });

  it('cannot, where the operator does not want it', async () => {
    const made = await registered(app);
    const without = await startTestApp({ settings: { DCR_MANAGEMENT: 'false' }, beside: app });
    const plain = await registered(without);
    expect(plain).not.toHaveProperty('registration_access_token');
    expect(plain).not.toHaveProperty('registration_client_uri');
    for (const method of ['GET', 'PUT', 'DELETE', 'POST'])
      expect((await manage(without, made, method, method === 'PUT' ? {} : undefined)).status).toBe(404);
    await without.close();
    expect((await manage(app, made, 'POST')).headers.get('allow')).toBe('GET, PUT, DELETE');
  });
});
