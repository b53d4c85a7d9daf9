import { generateKeyPairSync } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { audited, postForm } from '../builders.js';
import { aVending, aWorld, reseal, startBrokerApp, stateOf, type World } from '../brokering.js';
import {
  ACCESS_TOKEN,
  anAgent,
  EXCHANGE,
  exchange,
  front,
  letActAs,
  letExchange,
  outcome,
  started,
} from '../exchanges.js';
import type { Misbehaviour } from '../upstream/misbehaving-proxy.js';
import { CommandLine } from '../command-line.js';
import { aKeyClient, asForm, assertionOf } from '../assertions.js';

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world);
});
afterAll(async () => {
  await app.close();
  await world.end();
});

const plainHttp = { [oauth.allowInsecureRequests]: true };

describe('a vend', () => {
  it('[X2 X4 R7] gives an MCP server the upstream token of the person, asked for by oauth4webapi', async () => {
    const { at, server, target, connection, provider } = await aVending(app, world);
    const as = await oauth
      .discoveryRequest(new URL(app.issuer), { algorithm: 'oauth2', ...plainHttp })
      .then((response) => oauth.processDiscoveryResponse(new URL(app.issuer), response));
    const client = { client_id: server.id };
    const parameters = { subject_token: at.token, subject_token_type: ACCESS_TOKEN, resource: target.uri };
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      oauth.ClientSecretBasic(server.secret!),
      EXCHANGE,
      parameters,
      plainHttp,
    );
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answer = await oauth.processGenericTokenEndpointResponse(as, client, response);
    expect(answer).toMatchObject({
      token_type: 'bearer',
      issued_token_type: ACCESS_TOKEN,
      scope: 'repo:read repo:write',
    });
    expect(answer.expires_in).toBeGreaterThan(590);
    expect(answer.expires_in).toBeLessThanOrEqual(600);
    expect(answer).not.toHaveProperty('refresh_token');
    expect(await world.upstream.me(answer.access_token)).toEqual({
      status: 200,
      login: 'ada',
      scope: 'repo:read repo:write',
    });

    const [exchanged] = await audited(app, 'token.exchanged');
    expect(exchanged).toMatchObject({ client_id: server.id, actor_id: at.user.id });
    expect(exchanged!.detail).toMatchObject({
      type: 'broker_dispatch',
      chain_kind: 'direct',
      subject_client: at.client.id,
      actor_client: server.id,
      resource: target.slug,
      provider: provider.slug,
      connection: connection.id,
      act: { sub: server.id },
    });
    const [issued] = await audited(app, 'upstream.token.issued');
    expect(issued!.detail).toMatchObject({
      provider: provider.slug,
      scopes: ['repo:read', 'repo:write'],
      cached: false,
    });
    const { body } = await app.admin('GET', `/admin/issuances?client=${server.id}`);
    expect(body.issuances).toEqual([
      expect.objectContaining({
        backend_kind: 'broker',
        revocable: false,
        resource_id: target.id,
        subject_user_id: at.user.id,
        connection_id: connection.id,
        consent_client_id: at.client.id,
        scopes: ['repo:read', 'repo:write'],
        agent_chain: [at.client.id, server.id],
      }),
    ]);
    expect(body.issuances[0]).not.toHaveProperty('kid');
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active', version: 2, mark: null, kept: true });
  });

  it('asks upstream once, keeps the token until shortly before its end, and tells how long it still lives', async () => {
    const { ask, connection, server } = await aVending(app, world);
    const before = (await world.upstream.requests()).refresh_token;
    const first = await ask();
    app.clock.advance(100);
    const second = await ask();
    expect(second.body.access_token).toBe(first.body.access_token);
    expect(first.body.expires_in - second.body.expires_in).toBe(100);
    expect((await world.upstream.requests()).refresh_token).toBe(before + 1);
    expect((await stateOf(app, connection)).last_used_client_id).toBe(server.id);
    app.clock.advance(441);
    const third = await ask();
    expect(third.body.access_token).not.toBe(first.body.access_token);
    expect((await world.upstream.requests()).refresh_token).toBe(before + 2);
    expect((await world.upstream.me(third.body.access_token)).status).toBe(200);
  });

  it('is not taken back token by token: the operator hears what does, and nothing is stored', async () => {
    const { ask, server, connection } = await aVending(app, world);
    const { access_token } = (await ask()).body;
    const { issuances } = (await app.admin('GET', `/admin/issuances?client=${server.id}`)).body;
    const path = `/admin/issuances/${issuances[0].jti}`;
    const refused = await app.admin('DELETE', path);
    expect([refused.status, refused.body.code]).toEqual([409, 'issuance_not_revocable']);
    expect(refused.body.detail).toContain(`grant revoke-broker --id ${connection.id}`);
    const cli = new CommandLine(app);
    const typed = await cli.run(['issuance', 'revoke', '--id', issuances[0].jti]);
    cli.close();
    expect([typed.code, typed.stdout]).toEqual([1, '']);
    expect(typed.stderr).toContain(refused.body.detail);
    expect((await app.admin('GET', path)).body).toEqual(issuances[0]);
    expect(await app.sql('select from revocations where id = $1', [issuances[0].jti])).toEqual([]);
    expect((await audited(app, 'issuance.revoked_admin')).length).toBe(0);
    expect((await ask()).body.access_token).toBe(access_token);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active' });
  });

  it('keeps no token where the provider says so, nor one whose end upstream does not tell', async () => {
    const { ask, connection } = await aVending(app, world, { config: { cache_access_tokens: false } });
    const [first, second] = [await ask(), await ask()];
    expect(second.body.access_token).not.toBe(first.body.access_token);
    expect(await stateOf(app, connection)).toMatchObject({ kept: false, version: 3 });

    const endless = await aVending(app, world);
    world.proxy.next({ kind: 'change', members: { expires_in: undefined } });
    const { status, body } = await endless.ask();
    expect(status).toBe(200);
    expect(body).not.toHaveProperty('expires_in');
    expect(await stateOf(app, endless.connection)).toMatchObject({ kept: false, version: 2 });
  });

  it('gives what was asked for, and without a scope all that the person allowed this MCP server', async () => {
    const { ask, consent, provider } = await aVending(app, world, { config: { downscope: true } });
    expect(outcome(await ask({ scope: 'repo:read' }))).toEqual([200, 'repo:read']);
    expect((await world.upstream.me((await ask({ scope: 'repo:read' })).body.access_token)).scope).toBe('repo:read');
    expect(outcome(await ask())).toEqual([200, 'repo:read repo:write']);
    await app.sql(`update connection_consents set scopes = '{repo:read}' where id = $1`, [consent.id]);
    expect(outcome(await ask())).toEqual([200, 'repo:read']);
    const refused = await ask({ scope: 'repo:write' });
    expect(refused.body).toMatchObject({
      error: 'consent_required',
      error_description: 'more access to Acme is needed',
      cause: 'scope_insufficient',
      expires_in: 900,
    });
    expect(refused.body.consent_url).toMatch(new RegExp(`^${app.issuer}/connect/${provider.slug}\\?request=`));
  });

  it('asks for another token when the kept one is narrow, and the provider does not narrow any more', async () => {
    const { ask, provider } = await aVending(app, world, { config: { downscope: true } });
    expect(outcome(await ask({ scope: 'repo:read' }))).toEqual([200, 'repo:read']);
    await app.sql(
      `update broker_providers set config_data = replace(config_data, '"downscope":true', '"downscope":false') where id = $1`,
      [provider.id],
    );
    await app.sql('update policy_epoch set epoch = epoch + 1');
    expect(outcome(await ask({ scope: 'repo:write' }))).toEqual([200, 'repo:write repo:read']);
  });

  it('names what the token really is good for where upstream cannot narrow it', async () => {
    const { ask } = await aVending(app, world);
    const { body } = await ask({ scope: 'repo:read' });
    expect(body.scope).toBe('repo:read repo:write');
    expect((await world.upstream.me(body.access_token)).scope).toBe('repo:read repo:write');
  });

  it('asks upstream in upstream’s words, and answers in ours', async () => {
    const all = 'https://api.example/all';
    const scopes = [{ name: 'repo:read' }, { name: 'repo:write', upstream: all }];
    const granted = ['repo:read', all];
    const { ask, connection } = await aVending(app, world, { scopes, granted, config: { downscope: true } });
    const { body } = await ask({ scope: 'repo:write' });
    expect(body.scope).toBe('repo:write');
    expect((await world.upstream.me(body.access_token)).scope).toBe(all);
    expect(await stateOf(app, connection)).toMatchObject({ scopes: granted });
    // The operator maps the scope to another word: what the person allowed was the former.
    const { target, ask: again } = await aVending(app, world, { scopes, granted });
    await app.admin('PATCH', `/admin/resources/${target.id}`, {
      scopes: [{ name: 'repo:read' }, { name: 'repo:write', upstream: 'repo:write' }],
    });
    expect(outcome(await again({ scope: 'repo:write' }))).toEqual([400, 'consent_required']);
  });

  it('of an access token that nothing renews ends with it: the person must connect again', async () => {
    const { ask, connection, at, provider } = await aVending(app, world, { config: { refresh_token: 'optional' } });
    const expiresAt = new Date(app.clock.now().getTime() + 300_000).toISOString();
    await reseal(
      app,
      { id: connection.id, userId: at.user.id, providerId: provider.id },
      { accessToken: 'x', expiresAt },
    );
    const before = world.proxy.seen.length;
    const { body } = await ask();
    expect([body.access_token, body.expires_in]).toEqual(['x', 300]);
    app.clock.advance(301);
    expect(outcome(await ask())).toEqual([400, 'consent_required']);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'reconnect_required' });
    expect(world.proxy.seen.length).toBe(before);
  });

  it('is bounded by the subject token and by the ceiling of the MCP server', async () => {
    const narrow = await aVending(app, world, { agentScope: 'repo:read', config: { downscope: true } });
    expect(outcome(await narrow.ask())).toEqual([200, 'repo:read']);
    expect(outcome(await narrow.ask({ scope: 'repo:write' }))).toEqual([400, 'invalid_scope']);
    const { ask, server } = await aVending(app, world, { config: { downscope: true } });
    await app.admin('PATCH', `/admin/clients/${server.id}`, { scope: 'repo:write' });
    expect(outcome(await ask())).toEqual([200, 'repo:write']);
    expect(outcome(await ask({ scope: 'repo:read' }))).toEqual([400, 'invalid_scope']);
  });

  it('over a fronting link needs no shared names: the map decides', async () => {
    const scopes = [
      { name: 'files', upstream: 'repo:read' },
      { name: 'files!', upstream: 'repo:write' },
    ];
    const { at, source, target, server } = await aVending(app, world, { scopes, config: { downscope: true } });
    await front(app, source, target, { 'repo:read': ['files'], 'repo:write': ['files', 'files!'] });
    const ask = (more = {}, acting = server) => exchange(app, acting, at.token, { resource: target.uri, ...more });
    expect(outcome(await ask())).toEqual([200, 'files files!']);
    expect(outcome(await ask({ scope: 'files' }))).toEqual([200, 'files']);
    expect((await audited(app, 'token.exchanged'))[0]!.detail).toMatchObject({
      chain_kind: 'fronted',
      via_link: `${source.slug}>${target.slug}`,
    });
    // A client that acts as two resources cannot attest one, but a link says from which it comes.
    const { source: second } = await aVending(app, world);
    await letActAs(app, second, server);
    expect(outcome(await ask())).toEqual([200, 'files files!']);
    const stranger = await anAgent(app);
    expect(outcome(await ask({}, stranger))).toEqual([403, 'access_denied']);
    await letExchange(app, target, stranger);
    expect(outcome(await ask())).toEqual([403, 'access_denied']);
  });

  it('decides twice about one client assertion, and tells the truth', async () => {
    const server = await aKeyClient(app, { grant_types: [EXCHANGE] });
    const { at, target, connection } = await aVending(app, world, { server });
    world.proxy.next({ kind: 'answer', status: 400, body: JSON.stringify({ error: 'invalid_grant' }) });
    const form = {
      grant_type: EXCHANGE,
      subject_token: at.token,
      subject_token_type: ACCESS_TOKEN,
      resource: target.uri,
      ...asForm(await assertionOf(app, server.id, server.pair)),
    };
    const { status, body } = await postForm(app, '/oauth/token', form);
    expect([status, body.error, body.cause]).toEqual([400, 'consent_required', 'consent_missing']);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'reconnect_required' });
  });
});

describe('a credential of the operator’s own', () => {
  const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

  it('serves clients that the target names, and nobody has to connect', async () => {
    const draft = { protocol: 'api_key', config_data: { api_key: 'key-of-the-operator-4711' } };
    const { ask, target, server } = await aVending(app, world, { draft });
    expect(outcome(await ask())).toEqual([403, 'access_denied']);
    await letExchange(app, target, server);
    const { status, body } = await ask({ scope: 'repo:read' });
    expect([status, body.access_token, body.token_type, body.scope]).toEqual([
      200,
      'key-of-the-operator-4711',
      'Bearer',
      'repo:read',
    ]);
    expect(body).not.toHaveProperty('expires_in');
    const { issuances } = (await app.admin('GET', `/admin/issuances?client=${server.id}`)).body;
    expect(issuances).toEqual([expect.objectContaining({ backend_kind: 'broker', revocable: false })]);
    expect(issuances[0]).not.toHaveProperty('connection_id');
  });

  it('that speaks for people is kept for each of them apart', async () => {
    const config_data = {
      token_url: `${world.proxy.origin}/token`,
      client_email: 'robot@upstream.example',
      private_key: pem,
      subject: 'person_email',
    };
    const { ask, at, target, server, source } = await aVending(app, world, {
      draft: { protocol: 'service_account', config_data },
    });
    await letExchange(app, target, server);
    const other = await started(app, { client: at.client, resource: source, scope: 'repo:read repo:write' });
    const asOther = () => exchange(app, server, other.token, { resource: target.uri });
    const given = (name: string): Misbehaviour => ({
      kind: 'answer',
      status: 200,
      body: JSON.stringify({ access_token: name, token_type: 'Bearer', expires_in: 600 }),
    });
    world.proxy.next(given('hers'), given('his'));
    const tokens = [await ask(), await asOther(), await ask(), await asOther()].map(({ body }) => body.access_token);
    expect(tokens).toEqual(['hers', 'his', 'hers', 'his']);
    world.proxy.next({ kind: 'answer', status: 400, body: JSON.stringify({ error: 'invalid_grant' }) });
    expect(outcome(await ask({ scope: 'repo:read' }))).toEqual([503, 'temporarily_unavailable']);
  });

  it('speaks for nobody whose address the operator did not type', async () => {
    const config_data = {
      token_url: `${world.proxy.origin}/token`,
      client_email: 'robot@upstream.example',
      private_key: pem,
      subject: 'person_email',
    };
    const { ask, at, target, server } = await aVending(app, world, {
      draft: { protocol: 'service_account', config_data },
    });
    await letExchange(app, target, server);
    const body = JSON.stringify({ access_token: 'hers', token_type: 'Bearer', expires_in: 600 });
    world.proxy.next({ kind: 'answer', status: 200, body });
    expect((await ask()).body.access_token).toBe('hers');
    await app.sql(`update users set provider = 'elsewhere' where id = $1`, [at.user.id]);
    const before = world.proxy.seen.length;
    expect(outcome(await ask())).toEqual([503, 'temporarily_unavailable']);
    expect(world.proxy.seen.length).toBe(before);
  });

  it('leaves upstream alone while it is away, and hangs with it for a few only', async () => {
    const config_data = {
      token_url: `${world.proxy.origin}/token`,
      client_email: 'robot@upstream.example',
      private_key: pem,
    };
    const scopes = Array.from({ length: 6 }, (_, n) => ({ name: `scope:${n}` }));
    const { at, source, target, server } = await aVending(app, world, {
      draft: { protocol: 'service_account', config_data },
      scopes,
    });
    await letExchange(app, target, server);
    await front(app, source, target, { 'repo:read': scopes.map(({ name }) => name) });
    const ask = (n: number) => exchange(app, server, at.token, { resource: target.uri, scope: `scope:${n}` });

    world.proxy.next({ kind: 'answer', status: 429, headers: { 'retry-after': '40' }, body: '{}' });
    const before = world.proxy.seen.length;
    const [first, second] = [await ask(0), await ask(1)];
    expect([first, second].map(({ headers }) => headers.get('retry-after'))).toEqual(['40', '40']);
    expect(world.proxy.seen.length).toBe(before + 1);
    app.clock.advance(40);

    let release = (): void => {};
    const until = new Promise<void>((resolve) => (release = resolve));
    world.proxy.always({ kind: 'hold', until, when: 'before' });
    const held = [0, 1, 2, 3].map(ask);
    await world.proxy.arrived(before + 5);
    const [one, another] = await Promise.all([ask(4), ask(5)]);
    expect([one, another].map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([
      [503, '1'],
      [503, '1'],
    ]);
    expect(world.proxy.seen.length).toBe(before + 5);
    world.proxy.always();
    release();
    await Promise.all(held);
  });
});
