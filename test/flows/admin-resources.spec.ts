import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aConfidentialClient, aFlow, aResource, audited, introspect, refresh, tokensOf } from '../builders.js';
import { whileHeld } from '../held-lock.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.close());

let count = 0;
const draft = (): Record<string, unknown> => {
  count += 1;
  return { slug: `calendar-${count}`, uri: `https://calendar-${count}.example/mcp`, backend_kind: 'mint' };
};

describe('an operator registers a resource', () => {
  it('and gets every member back', async () => {
    const { status, body } = await app.admin('POST', '/admin/resources', {
      ...draft(),
      display_name: 'Calendar',
      scopes: [{ name: 'read', description: 'Read it', default: false }, { name: 'write' }],
      policy: { runtime: { client_ids: ['a', 'a', 'b'] } },
      access_token_ttl: 120,
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      slug: `calendar-${count}`,
      uri: `https://calendar-${count}.example/mcp`,
      backend_kind: 'mint',
      broker_provider_id: '',
      display_name: 'Calendar',
      scopes: [
        { name: 'read', description: 'Read it', default: false },
        { name: 'write', description: '', default: true },
      ],
      policy: { exchange: { allowed_client_ids: [] }, runtime: { client_ids: ['a', 'b'] } },
      dpop_required: false,
      access_token_ttl: 120,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    expect((await app.admin('GET', `/admin/resources/${body.id}`)).body).toEqual(body);
    expect(await audited(app, 'resource.created')).toContainEqual(
      expect.objectContaining({ detail: { id: body.id, slug: body.slug } }),
    );
  });

  it('and its metadata is published at once', async () => {
    const { body } = await app.admin('POST', '/admin/resources', draft());
    const metadata = await fetch(`${app.url}/.well-known/oauth-protected-resource/${body.slug}`);
    expect(await metadata.json()).toMatchObject({ resource: body.uri });
  });

  it.each<[what: string, change: Record<string, unknown>]>([
    ['without a slug', { slug: undefined }],
    ['with a slug in capitals', { slug: 'Calendar' }],
    ['without a URI', { uri: undefined }],
    ['with a relative URI', { uri: '/mcp' }],
    ['with a fragment in the URI', { uri: 'https://calendar.example/mcp#top' }],
    ['of a third kind', { backend_kind: 'fronted' }],
    ['with scopes by name only', { scopes: ['read'] }],
    ['with a scope without a name', { scopes: [{ description: 'x' }] }],
    ['with a space in a scope', { scopes: [{ name: 'read write' }] }],
    ['with two scopes of one name', { scopes: [{ name: 'read' }, { name: 'read' }] }],
    ['with a member of a scope that nobody knows', { scopes: [{ name: 'read', level: 1 }] }],
    ['with 101 scopes', { scopes: Array.from({ length: 101 }, (_, index) => ({ name: `s${index}` })) }],
    ['with a policy that is text', { policy: 'open' }],
    ['with a policy that is a list', { policy: [] }],
    ['with a policy nobody knows', { policy: { everybody: true } }],
    ['with tokens that live for two days', { access_token_ttl: 172_800 }],
  ])('is refused %s', async (_, change) => {
    const { status, body } = await app.admin('POST', '/admin/resources', { ...draft(), ...change });
    expect(status, JSON.stringify(body)).toBe(400);
    expect(body.detail).toEqual(expect.any(String));
  });

  it('is refused the issuer as URI', async () => {
    expect((await app.admin('POST', '/admin/resources', { ...draft(), uri: app.issuer })).status).toBe(400);
  });

  it('is refused a slug or a URI that is taken, the URI also with the other spelling of an empty path', async () => {
    const first: Record<string, unknown> = { ...draft(), uri: 'https://taken.example' };
    expect((await app.admin('POST', '/admin/resources', first)).status).toBe(201);
    const sameSlug = await app.admin('POST', '/admin/resources', { ...draft(), slug: first.slug });
    const sameUri = await app.admin('POST', '/admin/resources', { ...draft(), uri: 'https://taken.example/' });
    expect([sameSlug.status, sameSlug.body.code]).toEqual([409, 'resource_exists']);
    expect([sameUri.status, sameUri.body.code]).toEqual([409, 'resource_exists']);
  });

  it.each(['slug', 'uri'])('once, when twelve requests ask for the same %s at the same time', async (member) => {
    const { [member]: wanted } = draft();
    const answers = await whileHeld(
      app,
      'lock table resources in share mode',
      () =>
        Promise.all(
          Array.from({ length: 12 }, () => app.admin('POST', '/admin/resources', { ...draft(), [member]: wanted })),
        ),
      (untilWaiting) => untilWaiting(3),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array<number>(11).fill(409)]);
  });
});

describe('resources of the configuration', () => {
  it('are created once by replicas that start at the same time', async () => {
    const settings = { RESOURCE_URI: 'https://seeded.example/mcp', RESOURCE_SCOPES: 'read' };
    const replicas = await whileHeld(
      app,
      'lock table resources in share mode',
      () => Promise.allSettled([1, 2].map(() => startTestApp({ beside: app, settings }))),
      (untilWaiting) => untilWaiting(2),
    );
    await Promise.all(replicas.map((replica) => replica.status === 'fulfilled' && replica.value.close()));
    expect(replicas.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(await app.sql('select id from resources where uri = $1', [settings.RESOURCE_URI])).toHaveLength(1);
  });
});

describe('an operator reads resources', () => {
  it('in pages, by slug and by kind', async () => {
    const { slug, id } = await aResource(app);
    const all = await app.admin('GET', '/admin/resources?limit=1000');
    const ids = all.body.resources.map((resource: { id: string }) => resource.id);
    expect(ids).toContain(id);
    const first = await app.admin('GET', '/admin/resources?limit=1');
    const second = await app.admin('GET', `/admin/resources?limit=1&cursor=${first.body.next_cursor}`);
    expect([first.body.resources[0].id, second.body.resources[0].id]).toEqual(ids.slice(0, 2));
    const named = await app.admin('GET', `/admin/resources?slug=${slug}`);
    expect(named.body).toEqual({ resources: [expect.objectContaining({ id })] });
    expect((await app.admin('GET', '/admin/resources?backend_kind=broker')).body.resources).toEqual([]);
  });

  it('and an unknown one is not found', async () => {
    const { status, body } = await app.admin('GET', '/admin/resources/00000000-0000-7000-8000-000000000000');
    expect([status, body.code]).toEqual([404, 'resource_not_found']);
  });
});

describe('an operator changes a resource', () => {
  it('and what is not named stays, lists are replaced whole, sub-policies one by one', async () => {
    const { id } = await aResource(app, { policy: { exchange: { allowed_client_ids: ['x'] } }, access_token_ttl: 60 });
    const changed = await app.admin('PATCH', `/admin/resources/${id}`, {
      display_name: '',
      scopes: [{ name: 'all' }],
      policy: { runtime: { client_ids: ['y'] } },
      access_token_ttl: null,
    });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({
      display_name: '',
      scopes: [{ name: 'all' }],
      policy: { exchange: { allowed_client_ids: ['x'] }, runtime: { client_ids: ['y'] } },
    });
    const read = (await app.admin('GET', `/admin/resources/${id}`)).body;
    expect(read).toEqual(changed.body);
    expect(read).not.toHaveProperty('access_token_ttl');
    expect(await audited(app, 'resource.patched')).not.toEqual([]);
  });

  it('but not to a taken slug, not its id, and not to a Mint resource without URI', async () => {
    const [one, other] = [await aResource(app), await aResource(app)];
    expect((await app.admin('PATCH', `/admin/resources/${one.id}`, { slug: other.slug })).status).toBe(409);
    expect((await app.admin('PATCH', `/admin/resources/${one.id}`, { id: other.id })).status).toBe(400);
    expect((await app.admin('PATCH', `/admin/resources/${one.id}`, { uri: '' })).status).toBe(400);
  });

  it('and a token request sees the new scopes at once', async () => {
    const flow = await aFlow(app);
    await app.admin('PATCH', `/admin/resources/${flow.resource.id}`, { scopes: [{ name: 'notes:read' }] });
    const { tokens } = await tokensOf(flow, { scope: 'notes:read' });
    expect(tokens.scope).toBe('notes:read');
  });
});

describe('an operator deletes a resource', () => {
  it('and it is gone, with its metadata', async () => {
    const { id, slug } = await aResource(app);
    expect((await app.admin('DELETE', `/admin/resources/${id}?cascade=true`)).status).toBe(204);
    expect((await app.admin('DELETE', `/admin/resources/${id}`)).status).toBe(404);
    expect((await fetch(`${app.url}/.well-known/oauth-protected-resource/${slug}`)).status).toBe(404);
    expect(await audited(app, 'resource.deleted')).toContainEqual(expect.objectContaining({ detail: { id, slug } }));
  });
});

describe('the lists of a policy', () => {
  it.each([
    ['exchange/allowed-clients', 'allowed_client_ids'],
    ['runtime/client-ids', 'client_ids'],
  ])('%s takes known clients, each once, and lets go of them', async (path, member) => {
    const { slug } = await aResource(app);
    const { id } = await aClient(app);
    const at = `/admin/resources/${slug}/policy/${path}`;
    expect((await app.admin('GET', at)).body).toEqual({ [member]: [] });
    for (let twice = 0; twice < 2; twice++) {
      expect(await app.admin('POST', at, { client_id: id })).toEqual({ status: 200, body: { [member]: [id] } });
    }
    const stranger = await app.admin('POST', at, { client_id: 'nobody' });
    expect([stranger.status, stranger.body.code]).toEqual([400, 'invalid_request']);
    for (let twice = 0; twice < 2; twice++) expect((await app.admin('DELETE', `${at}/${id}`)).status).toBe(204);
    expect((await app.admin('GET', at)).body).toEqual({ [member]: [] });
  });

  it('connect/allowed-return-urls takes URLs', async () => {
    const { slug } = await aResource(app);
    const at = `/admin/resources/${slug}/policy/connect/allowed-return-urls`;
    const url = 'https://app.example/back?x=1&y=2';
    expect((await app.admin('POST', at, { url })).body).toEqual({ allowed_return_urls: [url] });
    expect((await app.admin('POST', at, { url: 'javascript:alert(1)' })).status).toBe(400);
    expect((await app.admin('POST', at, { url: 'back' })).status).toBe(400);
    expect((await app.admin('DELETE', at)).status).toBe(400);
    expect((await app.admin('DELETE', `${at}?url=${encodeURIComponent(url)}`)).status).toBe(204);
    expect((await app.admin('GET', at)).body).toEqual({ allowed_return_urls: [] });
  });

  it('are not found for a resource that does not exist', async () => {
    const { status, body } = await app.admin('GET', '/admin/resources/nothing/policy/runtime/client-ids');
    expect([status, body.code]).toEqual([404, 'resource_not_found']);
  });

  it('decide who may introspect: the runtime client may, and no longer when it was removed', async () => {
    const flow = await aFlow(app);
    const watcher = await aConfidentialClient(app);
    const at = `/admin/resources/${flow.resource.slug}/policy/runtime/client-ids`;
    const { tokens } = await tokensOf(flow);
    expect(await introspect(app, tokens.access_token, watcher)).toEqual({ active: false });
    await app.admin('POST', at, { client_id: watcher.id });
    expect(await introspect(app, tokens.access_token, watcher)).toMatchObject({ active: true });
    await app.admin('DELETE', `${at}/${watcher.id}`);
    expect(await introspect(app, tokens.access_token, watcher)).toEqual({ active: false });
  });

  it('keep every entry when several operators add at once', async () => {
    const { slug } = await aResource(app);
    const clients = await Promise.all(Array.from({ length: 6 }, () => aClient(app)));
    const at = `/admin/resources/${slug}/policy/runtime/client-ids`;
    await Promise.all(clients.map(({ id }) => app.admin('POST', at, { client_id: id })));
    const { body } = await app.admin('GET', at);
    expect([...body.client_ids].toSorted()).toEqual(clients.map(({ id }) => id).toSorted());
  });

  it.each([
    ['exchange/allowed-clients', 'exchange.allowed_client'],
    ['runtime/client-ids', 'runtime.client'],
  ])('%s leaves a row in the audit for each entry that came or went', async (path, name) => {
    const { id, slug } = await aResource(app);
    const client = await aClient(app);
    await app.admin('POST', `/admin/resources/${slug}/policy/${path}`, { client_id: client.id });
    await app.admin('DELETE', `/admin/resources/${slug}/policy/${path}/${client.id}`);
    for (const what of ['added', 'removed']) {
      const detail = { id, slug, entry: client.id };
      expect(await audited(app, `resource.policy.${name}.${what}`)).toContainEqual(expect.objectContaining({ detail }));
    }
  });
});

describe('a resource that gets another URI', () => {
  it('takes no consent along: people allowed it for the audience they saw', async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    const changed = await app.admin('PATCH', `/admin/resources/${flow.resource.id}`, {
      uri: `${flow.resource.uri}/payroll`,
    });
    expect(changed.status).toBe(200);
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_grant');
  });
});
