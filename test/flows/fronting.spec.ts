import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aResource, aResourceOfSomebody, audited, introspect, type ResourceFixture } from '../builders.js';
import { CommandLine, typed } from '../command-line.js';
import {
  anAgent,
  claimsOf,
  exchange,
  front,
  letActAs,
  letExchange,
  outcome,
  startExchangingApp,
  started,
} from '../exchanges.js';
import { whileHeld } from '../held-lock.js';

let app: TestApp;
let line: CommandLine;
beforeAll(async () => {
  app = await startExchangingApp();
  line = new CommandLine(app);
});
afterAll(() => app.close());

const files = (): Promise<ResourceFixture> =>
  aResource(app, { scopes: [{ name: 'files:read' }, { name: 'files:list' }, { name: 'files:write' }] });
const map = { 'notes:read': ['files:read', 'files:list'], 'notes:write': ['files:list'] };

describe('fronting links', () => {
  it('are made, read, changed and ended by the operator', async () => {
    const [source, target] = await Promise.all([aResource(app), files()]);
    const draft = { source: source.slug, target: target.slug, scope_map: map };
    const dry = await app.admin('POST', '/admin/fronting?dry_run=true', draft);
    expect([dry.status, dry.body.dry_run]).toEqual([200, true]);
    expect((await app.admin('GET', `/admin/fronting/${source.slug}/${target.slug}`)).status).toBe(404);
    const made = await app.admin('POST', '/admin/fronting', draft);
    const view = {
      source_slug: source.slug,
      target_slug: target.slug,
      scope_map: map,
      created_at: expect.any(String),
      created_by: 'admin',
    };
    expect([made.status, made.body]).toEqual([201, view]);
    expect((await app.admin('POST', '/admin/fronting', draft)).body.code).toBe('fronting_link_exists');
    expect((await app.admin('GET', `/admin/fronting?source=${source.slug}`)).body).toEqual({ links: [view] });
    expect((await app.admin('GET', `/admin/resources/${target.slug}/fronting`)).body).toEqual({
      slug: target.slug,
      fronts: [],
      fronted_by: [view],
    });
    const path = `/admin/fronting/${source.slug}/${target.slug}`;
    const changed = await app.admin('PATCH', path, { scope_map: { 'notes:read': ['files:read'] } });
    expect(changed.body.scope_map).toEqual({ 'notes:read': ['files:read'] });
    const refused = await app.admin('DELETE', `/admin/resources/${target.id}`);
    expect([refused.status, refused.body.dependents]).toEqual([
      409,
      [{ ...view, scope_map: { 'notes:read': ['files:read'] } }],
    ]);
    expect((await app.admin('DELETE', path)).status).toBe(204);
    expect((await app.admin('DELETE', path)).status).toBe(404);
    await front(app, source, target, map);
    expect((await app.admin('DELETE', `/admin/resources/${target.id}?cascade=true`)).status).toBe(204);
    expect((await app.admin('GET', `/admin/resources/${source.slug}/fronting`)).body.fronts).toEqual([]);
    const ends = { source: source.slug, target: target.slug };
    const told = await Promise.all(
      ['created', 'patched', 'deleted'].map((what) => audited(app, `fronting_link.${what}`)),
    );
    expect(told.map(([newest]) => newest?.detail)).toEqual([
      { ...ends, scope_map: map },
      { ...ends, scope_map: { 'notes:read': ['files:read'] } },
      { ...ends, scope_map: { 'notes:read': ['files:read'] } },
    ]);
  });

  it('close no circle, map declared scopes only, and never nothing', async () => {
    const [a, b, c] = await Promise.all([aResource(app), aResource(app), aResource(app)]);
    const same = { 'notes:read': ['notes:read'] };
    await front(app, a, b, same);
    await front(app, b, c, same);
    const ask = async (source: string, target: string, scope_map: unknown, query = '') => {
      const { status, body } = await app.admin('POST', `/admin/fronting${query}`, { source, target, scope_map });
      return [status, body.code];
    };
    expect(await ask(c.slug, a.slug, same)).toEqual([409, 'fronting_circle']);
    expect(await ask(c.slug, a.slug, same, '?dry_run=true')).toEqual([409, 'fronting_circle']);
    expect(await ask(a.slug, a.slug, same)).toEqual([409, 'fronting_circle']);
    for (const bad of [
      {},
      { 'notes:read': [] },
      { 'notes:else': ['notes:read'] },
      { 'notes:read': ['else'] },
      { 'notes:read': 'notes:read' },
      { 'notes:read': [1] },
    ])
      expect(await ask(a.slug, c.slug, bad), JSON.stringify(bad)).toEqual([400, 'invalid_request']);
    expect((await ask(a.slug, c.slug, []))[0]).toBe(400);
    expect(await ask(a.slug, 'nowhere', same)).toEqual([400, 'invalid_request']);
    const [x, y] = await Promise.all([aResource(app), aResource(app)]);
    const both = await Promise.all([ask(x.slug, y.slug, same), ask(y.slug, x.slug, same)]);
    expect(both.map(([status]) => status).toSorted()).toEqual([201, 409]);
    const broker = await aResourceOfSomebody(app);
    const from = { source: broker.slug, target: b.slug, scope_map: same };
    expect((await app.admin('POST', '/admin/fronting', from)).body.detail).toBe('the source must be a mint resource');
    const path = `/admin/fronting/${a.slug}/${b.slug}`;
    for (const scope_map of [{}, { 'notes:else': ['notes:read'] }, { 'notes:read': ['else'] }])
      expect((await app.admin('PATCH', path, { scope_map })).status).toBe(400);
    expect((await app.admin('GET', path)).body.scope_map).toEqual(same);
  });

  it('close no circle together, of which each has but a part', async () => {
    const [a, b, c, d] = await Promise.all([aResource(app), aResource(app), aResource(app), aResource(app)]);
    const same = { 'notes:read': ['notes:read'] };
    await front(app, a, b, same);
    await front(app, c, d, same);
    const join = ({ slug: source }: ResourceFixture, { slug: target }: ResourceFixture) =>
      app.admin('POST', '/admin/fronting', { source, target, scope_map: same });
    const both = await whileHeld(
      app,
      'lock table fronting_links in exclusive mode',
      () => Promise.all([join(b, c), join(d, a)]),
      (untilWaiting) => untilWaiting(2),
    );
    expect(both.map(({ status }) => status).toSorted()).toEqual([201, 409]);
  });

  it('are made on the command line, scopes with colons too', async () => {
    const [source, target] = await Promise.all([aResource(app), files()]);
    const ends = `--source ${source.slug} --target ${target.slug}`;
    const run = (text: string) => line.run(typed(text));
    const dry = await run(`fronting create ${ends} --scope-map notes:read=files:read+files:list --dry-run --json`);
    expect([dry.code, JSON.parse(dry.stdout).dry_run]).toEqual([0, true]);
    const made = await run(`fronting create ${ends} --scope-map notes:read=files:read+files:list --json`);
    expect(JSON.parse(made.stdout).scope_map).toEqual({ 'notes:read': ['files:read', 'files:list'] });
    const updated = await run(`fronting update ${ends} --scope-map '{"notes:write":["files:list"]}' --json`);
    expect(JSON.parse(updated.stdout).scope_map).toEqual({ 'notes:write': ['files:list'] });
    expect((await run(`fronting list --source ${source.slug}`)).stdout).toContain(target.slug);
    expect((await run(`fronting get ${ends}`)).stdout).toContain('notes:write');
    expect((await run(`fronting update ${ends} --scope-map notes:read:files:read`)).code).toBe(2);
    expect((await run(`fronting delete ${ends}`)).code).toBe(0);
    expect((await run(`fronting get ${ends}`)).code).toBe(1);
  });
});

describe('an exchange over a fronting link', () => {
  /** A person's token for a gateway's resource, and what is behind the gateway. */
  async function behindAGateway(scope?: string) {
    const [at, target, gateway] = await Promise.all([started(app, { scope }), files(), anAgent(app)]);
    await front(app, at.resource, target, map);
    await letActAs(app, at.resource, gateway);
    const ask = (more = {}, acting = gateway) => exchange(app, acting, at.token, { resource: target.uri, ...more });
    return { at, target, gateway, ask };
  }

  it('needs no consent at the target, and tells which link it came over', async () => {
    const { at, target, gateway, ask } = await behindAGateway();
    const { status, body } = await ask();
    expect([status, body.scope]).toEqual([200, 'files:read files:list']);
    const via = `${at.resource.slug}>${target.slug}`;
    const act = { sub: gateway.id, actor_type: 'service' };
    expect(claimsOf(body.access_token)).toMatchObject({
      sub: at.user.id,
      client_id: gateway.id,
      aud: [target.uri],
      via,
      act,
    });
    expect(await introspect(app, body.access_token, gateway)).toMatchObject({ active: true, via, act });
    expect((await audited(app, 'token.exchanged'))[0]!.detail).toMatchObject({
      chain_kind: 'fronted',
      via_link: via,
      act,
    });
  });

  it('reaches a target scope by any source scope that maps to it, and no other', async () => {
    const { ask } = await behindAGateway('notes:write');
    expect(outcome(await ask())).toEqual([200, 'files:list']);
    expect(outcome(await ask({ scope: 'files:list' }))).toEqual([200, 'files:list']);
    expect(outcome(await ask({ scope: 'files:read' }))).toEqual([400, 'invalid_scope']);
    expect(outcome(await ask({ scope: 'notes:write' }))).toEqual([400, 'invalid_scope']);
    expect(outcome(await ask({ scope: 'files:write' }))).toEqual([400, 'invalid_scope']);
  });

  it('is for clients that act as the source, and that the target lists if it lists any', async () => {
    const { target, gateway, ask } = await behindAGateway();
    const stranger = await anAgent(app);
    await letExchange(app, target, stranger);
    expect(outcome(await ask({}, stranger))).toEqual([403, 'access_denied']);
    expect(outcome(await ask())).toEqual([403, 'access_denied']);
    expect((await audited(app, 'token.exchange_denied'))[0]).toMatchObject({
      reason: 'fronting_caller_not_authorized',
      client_id: gateway.id,
    });
    await letExchange(app, target, gateway);
    expect(outcome(await ask())).toEqual([200, 'files:read files:list']);
  });

  it('follows the links from the next request on', async () => {
    const { at, target, ask } = await behindAGateway();
    const path = `/admin/fronting/${at.resource.slug}/${target.slug}`;
    await app.admin('PATCH', path, { scope_map: { 'notes:read': ['files:write'] } });
    expect(outcome(await ask())).toEqual([200, 'files:write']);
    await app.admin('DELETE', path);
    expect(outcome(await ask({ scope: 'files:write' }))).toEqual([403, 'access_denied']);
  });
});
