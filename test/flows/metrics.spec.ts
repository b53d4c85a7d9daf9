import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { TestApp } from '../app.js';
import { aWorld, startBrokerApp, aVending, type World } from '../brokering.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  aResource,
  aUser,
  authorizeUrl,
  introspect,
  pkce,
  postForm,
  redeem,
  refresh,
  signIn,
  tokensOf,
  type Flow,
} from '../builders.js';
import { aConnecting, connected } from '../connecting.js';
import { documentHost, documentsFromHere, type DocumentHost } from '../document-host.js';
import { aKey, aProof, askWith } from '../dpop.js';
import { anAgent, exchange, front, letActAs, letExchange, started } from '../exchanges.js';
import { arrive, startFederation } from '../federating.js';
import { whileHeld, without } from '../held-lock.js';
import { HttpBrowser } from '../http-browser.js';
import { anXaaFlow, assertionOf, aStubIdp, created, present, type StubIdp } from '../idp.js';
import { everMoved, moves, scraped } from '../metrics.js';
import { registered } from '../registrations.js';

let world: World;
let host: DocumentHost;
let idp: StubIdp;
let app: TestApp;
beforeAll(async () => {
  [world, host, idp] = await Promise.all([aWorld(), documentHost(), aStubIdp()]);
  const settings = {
    XAA_ENABLED: 'true',
    OAUTH_DEFAULT_CLIENT_SCOPE: 'notes:read',
    CIMD_DENIED_HOSTS: 'denied.example',
  };
  app = await startBrokerApp(world, { ...documentsFromHere, ...settings });
});
afterAll(async () => {
  await app?.close();
  await Promise.all([world?.end(), host?.close(), idp?.close()]);
});

const moving = (work: () => Promise<unknown>): Promise<Record<string, number>> => moves(app, work);
const token = (labels: string): string => `authserver_tokens_issued_total{grant_type="${labels}"}`;
const revoke = (flow: Flow, value: string) => postForm(app, '/oauth/revoke', { token: value }, flow.client);

describe('metrics of tokens', () => {
  it('count a code flow from the sign-in to the token', async () => {
    const flow = await aFlow(app);
    expect(await moving(() => tokensOf(flow))).toMatchObject({
      [token('authorization_code')]: 1,
      'authserver_token_issuance_duration_seconds_count{grant_type="authorization_code"}': 1,
      'authserver_consent_decisions_total{decision="granted"}': 1,
      'authserver_login_attempts_total{outcome="success"}': 1,
      authserver_auth_flow_duration_seconds_count: 1,
      'authserver_http_requests_total{http_method="POST",http_route="/oauth/token",http_status_code="200"}': 1,
      'authserver_http_request_duration_seconds_count{http_method="POST",http_route="/oauth/token",http_status_code="200"}': 1,
      'authserver_http_requests_total{http_method="GET",http_route="/oauth/authorize",http_status_code="303"}': 1,
      'authserver_db_operation_duration_seconds_count{op="codes.spend"}': 1,
    });
  });

  it('count what is refreshed, and a family that ends because a spent token came again', async () => {
    const at = await tokensOf(await aFlow(app));
    const rotated = await moving(() => refresh(at, at.tokens.refresh_token));
    expect(rotated).toMatchObject({ [token('refresh_token')]: 1, authserver_tokens_refreshed_total: 1 });
    expect(await moving(() => refresh(at, at.tokens.refresh_token))).toMatchObject({
      authserver_refresh_token_reuse_total: 1,
      'authserver_tokens_revoked_total{reason="family_revocation"}': 1,
      'authserver_auth_denied_total{reason="refresh_reused"}': 1,
    });
  });

  it('count codes that come again, with and without the verifier', async () => {
    const granted = await aGrantedCode(await aFlow(app));
    await redeem(granted);
    const guessed = await moving(() => redeem({ ...granted, verifier: pkce().verifier }));
    expect(guessed).toMatchObject({ 'authserver_auth_code_reuse_total{verifier="invalid"}': 1 });
    expect(guessed).not.toHaveProperty('authserver_tokens_revoked_total{reason="code_reuse"}');
    expect(await moving(() => redeem(granted))).toMatchObject({
      'authserver_auth_code_reuse_total{verifier="valid"}': 1,
      'authserver_tokens_revoked_total{reason="code_reuse"}': 1,
    });
  });

  it('count what a client takes back, and what it asks about', async () => {
    const client = await aConfidentialClient(app);
    const at = await tokensOf({ ...(await aFlow(app)), client });
    const active = await moving(() => introspect(app, at.tokens.access_token, client));
    expect(active).toMatchObject({
      'authserver_introspection_total{active="true"}': 1,
      authserver_introspection_duration_seconds_count: 1,
    });
    const one = await moving(() => revoke(at, at.tokens.access_token));
    expect(one).toMatchObject({ 'authserver_tokens_revoked_total{reason="explicit_machine"}': 1 });
    const family = await moving(() => revoke(at, at.tokens.refresh_token));
    expect(family).toMatchObject({ 'authserver_tokens_revoked_total{reason="explicit"}': 1 });
    const ended = await moving(() => introspect(app, at.tokens.access_token, client));
    expect(ended).toMatchObject({ 'authserver_introspection_total{active="false"}': 1 });
  });

  it('count what a client gets for itself, and what it does not', async () => {
    const agent = await anAgent(app, { agent: true, scope: 'notes:read' });
    const { uri } = await aResource(app);
    const ask = (more: Record<string, string>) =>
      postForm(app, '/oauth/token', { grant_type: 'client_credentials', resource: uri, ...more }, agent);
    expect(await moving(() => ask({ scope: 'notes:read' }))).toMatchObject({
      authplane_client_credentials_issued_total: 1,
      authplane_agent_tokens_issued_total: 1,
    });
    const refused = await moving(() => ask({ scope: 'notes:write' }));
    const denied = Object.keys(refused).find((name) => name.startsWith('authplane_client_credentials_denied_total'));
    expect(refused[denied ?? '']).toBe(1);
  });

  it('count exchanges by the resources they lead from and to, and those that are refused', async () => {
    const [source, target] = [await aResource(app), await aResource(app)];
    const gateway = await anAgent(app);
    const at = await started(app, { resource: source });
    const ask = () => exchange(app, gateway, at.token, { resource: target.uri });
    const refused = await moving(ask);
    expect(Object.keys(refused).filter((name) => name.startsWith('authplane_token_exchange_denied'))).toHaveLength(1);
    await front(app, source, target, { 'notes:read': ['notes:read'] });
    await letActAs(app, source, gateway);
    expect(await moving(ask)).toMatchObject({
      [`authplane_token_exchange_total{kind="fronted",source="${source.slug}",target="${target.slug}"}`]: 1,
    });
  });

  it('count proofs of possession', async () => {
    const at = await tokensOf(await aFlow(app));
    const proof = await aProof(app, await aKey());
    const form = { grant_type: 'refresh_token', refresh_token: at.tokens.refresh_token };
    const first = await moving(() => askWith(app, proof, form, at.client));
    expect(first).toMatchObject({ authplane_dpop_proofs_validated_total: 1 });
    const again = await moving(() => askWith(app, proof, form, at.client));
    expect(again).toMatchObject({ 'authplane_dpop_proofs_rejected_total{reason="replay"}': 1 });
  });
});

describe('metrics of people', () => {
  it('count sign-ins that fail and those that are not looked at', async () => {
    const flow = await aFlow(app);
    const attempt = async () => {
      const browser = new HttpBrowser();
      await signIn(browser, await browser.get(`${app.issuer}/login`), { ...flow.user, password: 'a wrong one' });
    };
    expect(await moving(attempt)).toMatchObject({ 'authserver_login_attempts_total{outcome="failure"}': 1 });
    const guessing = await moving(async () => {
      for (let guesses = 0; guesses < 12; guesses++) await attempt();
    });
    expect(guessing['authserver_login_attempts_total{outcome="locked"}']).toBeGreaterThan(0);
  });

  it('count a No', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const asked = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge)), app.issuer);
    const page = await browser.follow(await signIn(browser, asked, flow.user), app.issuer);
    const denied = await moving(() =>
      browser.post(`${app.issuer}/consent`, { ...page.form('decision'), decision: 'deny' }),
    );
    expect(denied).toMatchObject({ 'authserver_consent_decisions_total{decision="denied"}': 1 });
  });

  it('count sign-ins at an identity provider, and how long it takes to answer', async () => {
    const at = await startFederation();
    try {
      const arrived = await moves(at.app, () => arrive(at, new HttpBrowser(), 'ada'));
      expect(arrived).toMatchObject({
        'authserver_login_attempts_total{outcome="success"}': 1,
        'authserver_oidc_exchange_duration_seconds_count{outcome="success"}': 1,
      });
    } finally {
      await at.close();
    }
  });
});

describe('metrics of clients', () => {
  it('count who registers, and whose document is fetched or not', async () => {
    const dcr = await moving(() => registered(app));
    expect(dcr).toMatchObject({ 'authserver_clients_registered_total{source="dcr"}': 1 });
    const admin = await moving(() => aClient(app));
    expect(admin).toMatchObject({ 'authserver_clients_registered_total{source="admin"}': 1 });
    const [user, resource] = await Promise.all([aUser(app), aResource(app)]);
    const flowOf = (id: string): Flow => ({
      app,
      user,
      resource,
      client: { id, redirectUri: 'http://127.0.0.1:4915/callback' },
    });
    const scope = { scope: 'notes:read' };
    expect(await moving(() => tokensOf(flowOf(host.put('/good.json')), scope))).toMatchObject({
      'authserver_clients_registered_total{source="cimd"}': 1,
      authserver_cimd_fetch_duration_seconds_count: 1,
      'authserver_outgoing_request_duration_seconds_count{outcome="2xx",trust="client"}': 1,
    });
    const wrong = flowOf(host.put('/wrong.json', { body: '{}' }));
    const ask = (flow: Flow) => new HttpBrowser().get(authorizeUrl(flow, pkce().challenge, scope));
    await ask(wrong);
    const again = await moving(() => ask(wrong));
    expect(again).toMatchObject({ 'authserver_cimd_fetch_suppressed_total{reason="recent_failure"}': 1 });
    const denied = await moving(() => ask(flowOf('https://denied.example/client.json')));
    expect(denied).toMatchObject({ 'authserver_cimd_fetch_suppressed_total{reason="host"}': 1 });
  });

  it('count identity assertions: whose keys, which policy, whom they are about', async () => {
    const flow = await anXaaFlow(app, idp);
    const first = await moving(async () => present(flow, await assertionOf(flow)));
    expect(first).toMatchObject({
      'authplane_xaa_policy_evaluation_total{outcome="allowed"}': 1,
      'authplane_xaa_subject_resolutions_total{outcome="created"}': 1,
      authserver_oidc_jwks_cache_misses_total: 1,
    });
    const second = await moving(async () => present(flow, await assertionOf(flow)));
    expect(second).toMatchObject({
      'authplane_xaa_subject_resolutions_total{outcome="mapped"}': 1,
      authserver_oidc_jwks_cache_hits_total: 1,
    });
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { enabled: false });
    const denied = await moving(async () => present(flow, await assertionOf(flow)));
    // Once on what was remembered of the policy, and once on what it is now.
    expect(denied).toMatchObject({ 'authplane_xaa_policy_evaluation_total{outcome="denied"}': 2 });
  });
});

describe('metrics of upstream accounts', () => {
  it('count vends, and what providers were asked', async () => {
    const vending = await aVending(app, world);
    const { slug } = vending.provider;
    expect(await moving(() => vending.ask())).toMatchObject({
      [`authserver_upstream_token_issued_total{provider="${slug}",resource="${vending.target.slug}"}`]: 1,
      [`authserver_upstream_token_refresh_total{outcome="success",provider="${slug}"}`]: 1,
      [`authserver_upstream_token_issuance_duration_seconds_count{provider="${slug}"}`]: 1,
    });
  });

  it('count accounts that are connected and disconnected', async () => {
    const at = await aConnecting(app, world);
    const labels = `{provider="${at.provider.slug}"}`;
    const on = await moving(() => connected(at));
    expect(on).toMatchObject({ [`authserver_connection_connect_total${labels}`]: 1 });
    const [{ id } = { id: '' }] = await app.sql<{ id: string }>('select id from connections where user_id = $1', [
      at.user.id,
    ]);
    // It is counted when it is committed, and here it is not.
    const rolledBack = await moving(() =>
      without(app, 'outbox', () => app.admin('DELETE', `/admin/grants/broker/${id}`)),
    );
    expect(rolledBack).not.toHaveProperty(`authserver_connection_disconnect_total${labels}`);
    const off = await moving(() => app.admin('DELETE', `/admin/grants/broker/${id}`));
    expect(off).toMatchObject({ [`authserver_connection_disconnect_total${labels}`]: 1 });
  });
});

describe('metrics of operators', () => {
  it('count what they change', async () => {
    const resource = await aResource(app);
    const client = await aClient(app);
    expect(await moving(() => aResource(app))).toMatchObject({
      'authplane_resource_server_ops_total{op="created"}': 1,
    });
    expect(await moving(() => letExchange(app, resource, client))).toMatchObject({
      'authplane_allowlist_ops_total{op="added"}': 1,
    });
    const draft = { name: 'Other', issuer: 'https://other.example' };
    const trusted = await moving(() => created(app, '/admin/idps', draft));
    expect(trusted).toMatchObject({ 'authplane_xaa_idp_operations_total{op="created"}': 1 });
    const rotated = await moving(() => app.admin('POST', '/admin/keys/rotate'));
    expect(rotated).toMatchObject({ authserver_key_rotation_total: 1 });
  });

  it('do not count what was rolled back', async () => {
    const { slug } = await aResource(app);
    const twice = await moving(() =>
      app.admin('POST', '/admin/resources', { slug, uri: 'https://x.example', backend_kind: 'mint' }),
    );
    expect(twice).toMatchObject({
      'authserver_http_requests_total{http_method="POST",http_route="/admin/resources",http_status_code="409"}': 1,
    });
    expect(twice).not.toHaveProperty('authplane_resource_server_ops_total{op="created"}');
  });

  it('count attempts that a limit refuses', async () => {
    const guessing = await moving(async () => {
      for (let guesses = 0; guesses < 22; guesses++)
        await fetch(`${app.adminUrl}/admin/keys`, { headers: { authorization: 'Bearer a-wrong-key' } });
    });
    expect(guessing['authserver_rate_limited_total{limit="admin-key-failed"}']).toBeGreaterThan(0);
  });

  it('count that the keys are read again', async () => {
    app.clock.advance(6);
    expect(await moving(() => fetch(`${app.issuer}/.well-known/jwks.json`))).toHaveProperty(
      'authserver_key_reload_duration_seconds_count',
    );
  });
});

describe('metrics of trouble', () => {
  it('count revocations that could not be stored', async () => {
    const client = await aConfidentialClient(app);
    const at = await tokensOf({ ...(await aFlow(app)), client });
    const failed = await moving(() =>
      without(app, 'revocations', async () => {
        await revoke(at, at.tokens.access_token);
      }),
    );
    expect(failed).toMatchObject({ 'authserver_revocation_failures_total{half="denylist",path="explicit"}': 1 });
  });

  it('count what the audit did not take', async () => {
    const { client } = await aFlow(app);
    const ask = () =>
      postForm(app, '/oauth/token', { grant_type: 'refresh_token', refresh_token: 'ap_rt_none' }, client);
    const dropped = await moving(() => without(app, 'audit_events', ask));
    expect(dropped).toMatchObject({ 'authserver_audit_events_dropped_total{action="token.refresh_denied"}': 1 });
  });

  it('count statements that the database did not answer in time', async () => {
    const at = await tokensOf(await aFlow(app));
    const slow = await moving(() =>
      whileHeld(
        app,
        'lock table families in access exclusive mode',
        () => refresh(at, at.tokens.refresh_token),
        () => vi.waitFor(async () => expect((await failures()).length).toBeGreaterThan(0), 30_000),
      ),
    );
    expect(Object.keys(slow).filter((name) => name.startsWith('authserver_db_failures_total'))).not.toEqual([]);
    expect(slow).toMatchObject({
      'authserver_http_requests_total{http_method="POST",http_route="/oauth/token",http_status_code="503"}': 1,
    });
  });

  it('count jobs that fail, and those that do not', async () => {
    const run = async (state: string) => {
      const { body } = await app.admin('POST', '/admin/jobs', { name: 'expiry-sweep' });
      await vi.waitFor(
        async () => expect((await app.admin('GET', `/admin/jobs/${body.id}`)).body.state).toBe(state),
        20_000,
      );
    };
    expect(await moving(() => without(app, 'replays', () => run('failed')))).toMatchObject({
      'authserver_job_failures_total{final="true",job_name="expiry-sweep"}': 1,
      'authserver_job_duration_seconds_count{job_name="expiry-sweep",outcome="failed"}': 1,
    });
    expect(await moving(() => run('completed'))).toMatchObject({
      'authserver_job_duration_seconds_count{job_name="expiry-sweep",outcome="completed"}': 1,
    });
  });

  const failures = async () =>
    (await scraped(app)).filter(({ name, value }) => name === 'authserver_db_failures_total' && value > 0);
});

describe('all metrics of the reference', () => {
  const named = [...readFileSync('docs/reference/metrics.md', 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \|/gm)];

  it('are shown, with the type that is written there, and no others', async () => {
    const text = await (await fetch(`${app.adminUrl}/metrics`)).text();
    const shown = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(shown.toSorted()).toEqual(named.map(([, name, type]) => `${name} ${type}`).toSorted());
  });

  it('have moved by now, as far as they count', () => {
    const counting = named
      .filter(([, name, type]) => type !== 'gauge' && name?.startsWith('auth'))
      .map(([, name]) => name);
    expect(counting.filter((name) => !everMoved.has(name ?? ''))).toEqual([]);
    expect(counting.length).toBeGreaterThan(40);
  });
});
