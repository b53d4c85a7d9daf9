import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aConfidentialClient, aFlow, audited, introspect, postForm, refresh, tokensOf } from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.close());

const draft = { client_name: 'Notebook', redirect_uris: ['https://notebook.example/cb'] };

describe('an operator registers a client', () => {
  it('and gets every member back, with the defaults filled in and no secret for a public one', async () => {
    const { status, body } = await app.admin('POST', '/admin/clients', {
      ...draft,
      token_endpoint_auth_method: 'none',
      scope: 'notes:read',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      client_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_name: 'Notebook',
      redirect_uris: ['https://notebook.example/cb'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'notes:read',
      status: 'active',
      registration_source: 'admin',
      application_type: 'web',
      agent: false,
      agent_description: '',
      issued_at: expect.stringMatching(/Z$/),
    });
    expect(body).not.toHaveProperty('client_secret');
  });

  it('and a confidential one gets its secret once, which is never shown again and stored only as a hash', async () => {
    const { body } = await app.admin('POST', '/admin/clients', {
      ...draft,
      token_endpoint_auth_method: 'client_secret_basic',
    });
    expect(body.client_secret).toMatch(/^[A-Za-z0-9_-]{40,}$/);
    const read = await app.admin('GET', `/admin/clients/${body.client_id}`);
    expect(JSON.stringify(read.body)).not.toContain(body.client_secret);
    expect(Object.keys(read.body).filter((name) => /secret|hash/.test(name))).toEqual([]);
    const rows = await app.sql('select * from client_secrets where client_id = $1', [body.client_id]);
    expect(JSON.stringify(rows)).not.toContain(body.client_secret);
  });

  it('with an agent, lifetimes and a default resource', async () => {
    const { status, body } = await app.admin('POST', '/admin/clients', {
      ...draft,
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/cb'],
      agent: true,
      agent_description: 'Sorts notes',
      default_resource: 'https://notes.example/mcp',
      access_token_ttl: 60,
      refresh_token_ttl: 3600,
      refresh_max_lifetime: 7200,
    });
    expect(status).toBe(201);
    const read = await app.admin('GET', `/admin/clients/${body.client_id}`);
    expect(read.body).toMatchObject({
      application_type: 'native',
      agent: true,
      agent_confirmed: true,
      agent_description: 'Sorts notes',
      default_resource: 'https://notes.example/mcp',
      access_token_ttl: 60,
      refresh_token_ttl: 3600,
      refresh_max_lifetime: 7200,
    });
  });

  it('and the audit tells of it', async () => {
    const { id } = await aClient(app);
    expect(await audited(app, 'client.created_admin')).toContainEqual(expect.objectContaining({ client_id: id }));
  });

  it.each<[what: string, change: Record<string, unknown>, said: RegExp]>([
    ['without a name', { client_name: undefined }, /client_name/],
    ['with a name of 201 characters', { client_name: 'x'.repeat(201) }, /client_name/],
    ['with a redirect that is not a list', { redirect_uris: 'https://notebook.example/cb' }, /redirect_uris/],
    ['with a redirect that is no absolute URI', { redirect_uris: ['/cb'] }, /redirect/],
    ['with a redirect with a fragment', { redirect_uris: ['https://notebook.example/cb#x'] }, /redirect/],
    ['with http off loopback', { redirect_uris: ['http://notebook.example/cb'] }, /redirect/],
    ['with a grant nobody knows', { grant_types: ['password'] }, /grant_types/],
    ['with an authentication method nobody knows', { token_endpoint_auth_method: 'tls' }, /token_endpoint_auth_method/],
    ['with another application type', { application_type: 'desktop' }, /application_type/],
    ['with a description of 256 characters', { agent: true, agent_description: 'x'.repeat(256) }, /agent_description/],
    ['with null for a name', { client_name: null }, /client_name/],
    ['with a lifetime in words', { access_token_ttl: '15m' }, /access_token_ttl/],
    ['with a lifetime of no seconds', { access_token_ttl: 0 }, /access_token_ttl/],
    ['with an access token that lives for a week', { access_token_ttl: 604_800 }, /access_token_ttl/],
  ])('is refused %s, and is told which member it was', async (_, change, said) => {
    const { status, body } = await app.admin('POST', '/admin/clients', { ...draft, ...change });
    expect(status).toBe(400);
    expect(body.detail).toMatch(said);
    expect(body).toMatchObject({ status: 400, title: 'Bad Request', request_id: expect.any(String) });
  });
});

describe('an operator reads clients', () => {
  it('in pages that neither repeat nor lose one', async () => {
    for (let index = 0; index < 5; index++) await aClient(app);
    const everybody = await app.admin('GET', '/admin/clients?limit=1000');
    const walked: string[] = [];
    let cursor: string | undefined;
    do {
      const { body } = await app.admin('GET', `/admin/clients?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
      expect(body.clients.length).toBeLessThanOrEqual(2);
      walked.push(...body.clients.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor;
    } while (cursor);
    expect(walked).toEqual(everybody.body.clients.map(({ id }: { id: string }) => id));
    const skipped = await app.admin('GET', '/admin/clients?limit=1&offset=2');
    expect(skipped.body.clients[0].id).toBe(walked[2]);
  });

  it('by source and status', async () => {
    const { id } = await aClient(app);
    await app.admin('PATCH', `/admin/clients/${id}/suspend`);
    const suspended = await app.admin('GET', '/admin/clients?status=suspended&source=admin');
    expect(suspended.body.clients).toEqual([expect.objectContaining({ id, status: 'suspended' })]);
    const registered = await app.admin('GET', '/admin/clients?source=dcr');
    expect(registered.body.clients).toEqual([]);
  });

  it.each(['limit=0', 'limit=1001', 'limit=ten', 'limit=-1', 'source=elsewhere', 'status=gone', 'stauts=active'])(
    'but not with ?%s',
    async (query) => {
      const { status } = await app.admin('GET', `/admin/clients?${query}`);
      expect(status).toBe(400);
    },
  );

  it('and an unknown one is not found', async () => {
    const { status, body } = await app.admin('GET', '/admin/clients/nobody');
    expect(status).toBe(404);
    expect(body).toMatchObject({ code: 'client_not_found', title: 'Not Found' });
  });
});

describe('an operator changes a client', () => {
  it('and what is not named stays, what is empty is wiped, what is null falls back to the default', async () => {
    const { id } = await aClient(app, { scope: 'a b', access_token_ttl: 60 });
    const first = await app.admin('PATCH', `/admin/clients/${id}`, { client_name: 'Renamed' });
    expect(first.body).toMatchObject({ name: 'Renamed', scope: 'a b', access_token_ttl: 60 });
    const second = await app.admin('PATCH', `/admin/clients/${id}`, { scope: '', access_token_ttl: null });
    expect(second.body).toMatchObject({ name: 'Renamed', scope: '' });
    expect(second.body.access_token_ttl ?? null).toBeNull();
    const read = await app.admin('GET', `/admin/clients/${id}`);
    expect(read.body.redirect_uris).toEqual(['https://client.example/callback']);
  });

  it('and confirms that it is the agent it says it is', async () => {
    const { id } = await aClient(app, { agent: true });
    const { body } = await app.admin('PATCH', `/admin/clients/${id}`, { agent_confirmed: false });
    expect(body.agent_confirmed).toBe(false);
  });

  it.each(['token_endpoint_auth_method', 'agent', 'status', 'id', 'registration_source', 'version', 'client_secret'])(
    'but not its %s',
    async (member) => {
      const { id } = await aClient(app);
      const { status, body } = await app.admin('PATCH', `/admin/clients/${id}`, { [member]: 'x' });
      expect(status).toBe(400);
      expect(body.detail).toContain(member);
    },
  );

  it('and an unknown one is not found', async () => {
    expect((await app.admin('PATCH', '/admin/clients/nobody', { client_name: 'x' })).status).toBe(404);
  });
});

describe('an operator rotates a secret', () => {
  const works = async (id: string, secret: string): Promise<boolean> => {
    const answer = await postForm(app, '/oauth/introspect', { token: 'x' }, { id, secret, redirectUri: '' });
    return answer.status === 200;
  };

  it('and both work during the overlap, which is a day unless it says otherwise', async () => {
    const { id, secret } = await aConfidentialClient(app);
    const { status, body } = await app.admin('POST', `/admin/clients/${id}/rotate-secret`);
    expect(status).toBe(200);
    expect(body).toEqual({ client_id: id, client_secret: expect.any(String) });
    expect([await works(id, secret!), await works(id, body.client_secret)]).toEqual([true, true]);
    app.clock.advance(24 * 3600 + 1);
    expect([await works(id, secret!), await works(id, body.client_secret)]).toEqual([false, true]);
  });

  it('and with overlap 0 the former ends at once', async () => {
    const { id, secret } = await aConfidentialClient(app);
    const { body } = await app.admin('POST', `/admin/clients/${id}/rotate-secret`, { overlap: '0' });
    expect([await works(id, secret!), await works(id, body.client_secret)]).toEqual([false, true]);
  });

  it.each(['soon', '-1h', '31d', '1.5h'])('but not with the overlap %s', async (overlap) => {
    const { id } = await aConfidentialClient(app);
    const { status, body } = await app.admin('POST', `/admin/clients/${id}/rotate-secret`, { overlap });
    expect(status).toBe(400);
    expect(body.detail).toContain('overlap');
  });

  it('but a public client has none', async () => {
    const { id } = await aClient(app);
    const { status, body } = await app.admin('POST', `/admin/clients/${id}/rotate-secret`);
    expect(status).toBe(409);
    expect(body.code).toBe('client_has_no_secret');
  });
});

describe('an operator takes a client away', () => {
  it('by suspending it: nothing is issued, its tokens are inactive; reactivating brings all back', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const watcher = await aConfidentialClient(app);
    await app.admin('POST', `/admin/resources/${flow.resource.slug}/policy/runtime/client-ids`, {
      client_id: watcher.id,
    });

    const suspended = await app.admin('PATCH', `/admin/clients/${flow.client.id}/suspend`);
    expect(suspended).toEqual({ status: 200, body: { status: 'suspended' } });
    expect(await introspect(app, tokens.access_token, watcher)).toEqual({ active: false });
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_client');

    const reactivated = await app.admin('PATCH', `/admin/clients/${flow.client.id}/reactivate`);
    expect(reactivated.body).toEqual({ status: 'active' });
    expect(await introspect(app, tokens.access_token, watcher)).toMatchObject({ active: true });
    expect((await refresh(flow, tokens.refresh_token)).status).toBe(200);
  });

  it('by revoking it, which is final', async () => {
    const { id } = await aClient(app);
    expect((await app.admin('PATCH', `/admin/clients/${id}/revoke`)).body).toEqual({ status: 'revoked' });
    const again = await app.admin('PATCH', `/admin/clients/${id}/reactivate`);
    expect([again.status, again.body.code]).toEqual([409, 'client_revoked']);
  });

  it('by deleting it, but not by mistake while it has active tokens', async () => {
    const flow = await aFlow(app);
    const { tokens } = await tokensOf(flow);
    const refused = await app.admin('DELETE', `/admin/clients/${flow.client.id}`);
    expect([refused.status, refused.body.code]).toEqual([409, 'client_has_active_tokens']);
    expect((await app.admin('DELETE', `/admin/clients/${flow.client.id}?force=true`)).status).toBe(204);
    expect((await app.admin('GET', `/admin/clients/${flow.client.id}`)).status).toBe(404);
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_client');
    expect((await app.admin('DELETE', `/admin/clients/${flow.client.id}`)).status).toBe(404);
  });

  it('but not by mistake while it has an access token that nothing refreshes', async () => {
    const flow = await aFlow(app, { grant_types: ['authorization_code'] });
    const { tokens } = await tokensOf(flow);
    expect(tokens).not.toHaveProperty('refresh_token');
    const refused = await app.admin('DELETE', `/admin/clients/${flow.client.id}`);
    expect([refused.status, refused.body.code]).toEqual([409, 'client_has_active_tokens']);
    await app.admin('DELETE', `/admin/users/${flow.user.id}/tokens`);
    expect((await app.admin('DELETE', `/admin/clients/${flow.client.id}`)).status).toBe(204);
  });

  it('without force when its tokens were revoked before', async () => {
    const flow = await aFlow(app);
    await tokensOf(flow);
    await app.admin('DELETE', `/admin/users/${flow.user.id}/tokens`);
    expect((await app.admin('DELETE', `/admin/clients/${flow.client.id}`)).status).toBe(204);
  });

  it.each([
    ['PATCH', '/suspend'],
    ['PATCH', '/reactivate'],
    ['PATCH', '/revoke'],
    ['POST', '/rotate-secret'],
    ['DELETE', ''],
  ])('%s %s of an unknown one is not found', async (method, verb) => {
    const { status, body } = await app.admin(method, `/admin/clients/nobody${verb}`);
    expect([status, body.code]).toEqual([404, 'client_not_found']);
  });
});
