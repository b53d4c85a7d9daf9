import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApp } from '../app.js';
import { aConfidentialClient, aFlow, aResource, postForm, refresh, tokensOf } from '../builders.js';
import { documentHost, documentsFromHere } from '../document-host.js';
import { aVending, aWorld, startBrokerApp } from '../brokering.js';
import { authorizeUrl, pkce } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';
import { scraped } from '../metrics.js';
import { startCollector, type CollectedSpan, type Collector } from '../otlp-collector.js';
import { startRedis, type TestRedis } from '../redis.js';
import { aKey, aProof, askWith } from '../dpop.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const traceparent = `00-${TRACE}-${CALLER}-01`;

const tracingTo = ({ endpoint }: Collector): Record<string, string> => ({
  TRACING_ENABLED: 'true',
  TRACING_ENDPOINT: endpoint,
  TRACING_INSECURE: 'true',
});

describe('traces', () => {
  let collector: Collector;
  let redis: TestRedis;
  beforeAll(async () => {
    [collector, redis] = await Promise.all([startCollector(), startRedis()]);
  });
  afterAll(async () => {
    await collector?.close();
    await redis?.stop();
  });

  /** Everything that was sent by the time a server has ended. */
  async function traced(
    settings: Record<string, string>,
    work: (app: Awaited<ReturnType<typeof startTestApp>>) => Promise<unknown>,
    options: { redisUrl?: string } = {},
  ): Promise<CollectedSpan[]> {
    const before = collector.spans.length;
    const app = await startTestApp({ settings: { ...tracingTo(collector), ...settings }, ...options });
    await work(app).finally(() => app.close());
    return collector.spans.slice(before);
  }

  const below = (spans: readonly CollectedSpan[], parent: CollectedSpan | undefined): CollectedSpan[] =>
    spans.filter(({ parentSpanId }) => parentSpanId === parent?.spanId);
  const named = (spans: readonly CollectedSpan[], name: string): CollectedSpan[] =>
    spans.filter((span) => span.name === name);

  it('have a span for each request, and below it those for statements and commands of Redis', async () => {
    let secrets: string[] = [];
    const work = async (app: Parameters<Parameters<typeof traced>[1]>[0]) => {
      const at = await tokensOf(await aFlow(app));
      const form = { grant_type: 'refresh_token', refresh_token: at.tokens.refresh_token };
      const proof = await aProof(app, await aKey());
      const { body } = await askWith(app, proof, form, at.client);
      secrets = [
        at.code,
        at.verifier,
        at.tokens.access_token,
        at.tokens.refresh_token,
        body.access_token,
        at.user.email,
        at.user.password,
        proof,
        'a-state',
      ];
    };
    const spans = await traced({}, work, { redisUrl: redis.url });
    const requests = named(spans, 'POST /oauth/token');
    expect(requests).toHaveLength(2);
    expect(requests[0]).toMatchObject({
      kind: 2,
      parentSpanId: '',
      links: [],
      status: 0,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/oauth/token',
        'http.response.status_code': 200,
        'authplane.request_id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    });
    expect(below(spans, requests[0]).map(({ name }) => name)).toContain('codes.spend');
    const [spent] = named(spans, 'codes.spend');
    expect(spent).toMatchObject({
      kind: 3,
      traceId: requests[0]?.traceId,
      attributes: { 'db.system.name': 'postgresql' },
    });
    const commands = spans.filter(({ attributes }) => attributes['db.system.name'] === 'redis');
    expect(commands.filter(({ traceId }) => traceId === requests[1]?.traceId).length).toBeGreaterThan(0);
    expect(named(spans, 'GET /oauth/authorize').length).toBeGreaterThan(0);

    const everything = Buffer.concat(collector.raw).toString('latin1');
    expect(everything).toContain('/oauth/token');
    expect(secrets.filter((secret) => everything.includes(secret))).toEqual([]);
    expect(collector.resources[0]).toMatchObject({
      'service.name': 'authplane',
      'service.version': expect.any(String),
    });
  });

  it('go on with the trace of a trusted proxy, and only link to that of a stranger', async () => {
    const ask = (app: { issuer: string }) => fetch(`${app.issuer}/.well-known/jwks.json`, { headers: { traceparent } });
    const jwks = 'GET /.well-known/jwks.json';
    const [trusted] = named(await traced({ SERVER_TRUSTED_PROXIES: '127.0.0.0/8 ::1/128' }, ask), jwks);
    expect(trusted).toMatchObject({ traceId: TRACE, parentSpanId: CALLER });
    const [stranger] = named(await traced({}, ask), jwks);
    expect(stranger).toMatchObject({ parentSpanId: '', links: [{ traceId: TRACE, spanId: CALLER }] });
    expect(stranger?.traceId).not.toBe(TRACE);
  });

  it('keep no more than their share, also where a trusted caller asks for more', async () => {
    const ask = async (app: { issuer: string }) => {
      for (let i = 0; i < 20; i++) await fetch(`${app.issuer}/livez`, { headers: i % 2 ? { traceparent } : {} });
    };
    const none = { TRACING_SAMPLE_RATE: '0', SERVER_TRUSTED_PROXIES: '127.0.0.0/8 ::1/128' };
    expect(await traced(none, ask)).toEqual([]);
  });

  it('mark what the server got wrong as an error, without a message, and not what the caller got wrong', async () => {
    const spans = await traced({}, async (app) => {
      const at = await tokensOf(await aFlow(app));
      await refresh(at, 'ap_rt_nonsense');
      await app.sql('alter table families rename to families_gone');
      await refresh(at, at.tokens.refresh_token);
    });
    const statuses = named(spans, 'POST /oauth/token').map(({ status, attributes }) => [
      attributes['http.response.status_code'],
      status,
      attributes['error.type'],
    ]);
    expect(statuses).toEqual([
      [200, 0, undefined],
      [400, 0, undefined],
      [500, 2, '500'],
    ]);
  });

  it('tell of a request to others by its host alone, and hand nothing on', async () => {
    const host = await documentHost();
    const id = host.put('/secret-path.json');
    const spans = await traced({ ...documentsFromHere, OAUTH_DEFAULT_CLIENT_SCOPE: 'notes:read' }, async (app) => {
      const flow = { ...(await aFlow(app)), client: { id, redirectUri: 'http://127.0.0.1:4915/callback' } };
      await new HttpBrowser().get(authorizeUrl(flow, pkce().challenge, { scope: 'notes:read' }));
    });
    await host.close();
    const [asked] = spans.filter(({ attributes }) => attributes['authplane.trust'] === 'client');
    expect(asked).toMatchObject({
      name: 'GET',
      kind: 3,
      attributes: { 'server.address': '127.0.0.1', 'http.response.status_code': 200 },
    });
    expect(Buffer.concat(collector.raw).toString('latin1')).not.toContain('secret-path');
  });

  it('have one for each job, linked to the request that led to it', async () => {
    const world = await aWorld();
    const before = collector.spans.length;
    const app = await startBrokerApp(world, tracingTo(collector));
    const { connection } = await aVending(app, world);
    await app.admin('DELETE', `/admin/grants/broker/${connection.id}`);
    const settled = `select 1 from connections where id = $1 and upstream_revocation = 'done'`;
    await vi.waitFor(async () => expect(await app.sql(settled, [connection.id])).toHaveLength(1), 20_000);
    await app.close();
    await world.end();
    const spans = collector.spans.slice(before);
    const [request] = named(spans, 'DELETE /admin/grants/broker/:id');
    const [job] = named(spans, 'job upstream-revocation');
    expect(job).toMatchObject({ kind: 5, parentSpanId: '', links: [{ traceId: request?.traceId }] });
    expect(job?.traceId).not.toBe(request?.traceId);
    expect(below(spans, job).length).toBeGreaterThan(0);
  });

  it('do not hold a server up whose collector is away', async () => {
    const gone = await startCollector();
    await gone.close();
    const app = await startTestApp({ settings: tracingTo(gone) });
    const client = await aConfidentialClient(app);
    const { status } = await postForm(app, '/oauth/introspect', { token: 'none' }, client);
    await app.close();
    expect(status).toBe(200);
  });
});

describe('metrics that are sent', () => {
  it('are those that Prometheus would read, and the last ones leave with the server', async () => {
    const collector = await startCollector();
    const settings = { METRICS_PROVIDER: 'both', METRICS_OTEL_ENDPOINT: collector.endpoint, METRICS_INSECURE: 'true' };
    const app = await startTestApp({ settings });
    await aResource(app);
    const here = await scraped(app);
    await app.close();
    const sumOf = (name: string): number =>
      here.filter((sample) => sample.name === name).reduce((sum, { value }) => sum + value, 0);
    expect(sumOf('authplane_resource_server_ops_total')).toBeGreaterThan(0);
    for (const name of ['authplane_resource_server_ops_total', 'authserver_tokens_issued_total'])
      expect([name, collector.metrics.get(name) ?? 0]).toEqual([name, sumOf(name)]);
    expect(collector.metrics.get('authserver_db_pool_max_connections')).toBe(25);
    expect(collector.metrics.get('authserver_db_operation_duration_seconds')).toBeGreaterThanOrEqual(
      sumOf('authserver_db_operation_duration_seconds_count'),
    );
    await collector.close();
  });

  it.each([
    ['otel', 404],
    ['none', 404],
    ['prometheus', 200],
  ])('with provider %s, /metrics answers %i', async (provider, status) => {
    const collector = await startCollector();
    const sending = { METRICS_OTEL_ENDPOINT: collector.endpoint, METRICS_INSECURE: 'true' };
    const app = await startTestApp({ settings: { METRICS_PROVIDER: provider, ...sending } });
    const answer = await fetch(`${app.adminUrl}/metrics`);
    const elsewhere = await fetch(`${app.issuer}/metrics`);
    await app.close();
    await collector.close();
    expect([answer.status, elsewhere.status]).toEqual([status, 404]);
    expect(collector.metrics.size > 0).toBe(provider === 'otel');
  });

  it('are served elsewhere where that is said', async () => {
    const app = await startTestApp({ settings: { METRICS_PATH: '/internal/metrics' } });
    const [there, here] = [await fetch(`${app.adminUrl}/internal/metrics`), await fetch(`${app.adminUrl}/metrics`)];
    await app.close();
    expect([there.status, here.status]).toEqual([200, 404]);
  });
});
