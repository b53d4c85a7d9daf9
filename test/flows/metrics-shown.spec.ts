import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, tokensOf } from '../builders.js';
import { whileHeld, without } from '../held-lock.js';
import { moves, scraped, seriesOf } from '../metrics.js';
import { rawRequest } from '../raw-request.js';

let app: TestApp;
beforeAll(async () => void (app = await startTestApp()));
afterAll(() => app?.close());

describe('the labels of a request', () => {
  it('are patterns of routes and never what somebody typed', async () => {
    const typed = await moves(app, async () => {
      await fetch(`${app.issuer}/no-such-path-${'x'.repeat(40)}`);
      await app.admin('GET', '/admin/clients/no-such-client');
      await rawRequest(app.issuer, '/oauth/token', { method: 'PROPFIND', headers: { host: new URL(app.issuer).host } });
    });
    const routes = Object.keys(typed).filter((name) => name.startsWith('authserver_http_requests_total'));
    expect(routes.toSorted()).toEqual([
      'authserver_http_requests_total{http_method="GET",http_route="/admin/clients/:id",http_status_code="404"}',
      'authserver_http_requests_total{http_method="GET",http_route="/metrics",http_status_code="200"}',
      'authserver_http_requests_total{http_method="GET",http_route="other",http_status_code="404"}',
      'authserver_http_requests_total{http_method="other",http_route="/oauth/token",http_status_code="405"}',
    ]);
  });
});

describe('a caller that goes away', () => {
  it('is counted as 499', async () => {
    const at = await tokensOf(await aFlow(app));
    const gone = 'authserver_http_requests_total{http_method="POST",http_route="/oauth/token",http_status_code="499"}';
    const counted = async () => (await scraped(app)).find((sample) => seriesOf(sample) === gone)?.value;
    expect(await counted()).toBeUndefined();
    const leaving = new AbortController();
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: at.tokens.refresh_token,
      client_id: at.client.id,
    });
    const asked = () =>
      fetch(`${app.issuer}/oauth/token`, { method: 'POST', body: form, signal: leaving.signal }).catch(() => undefined);
    const leave = async () => {
      leaving.abort();
      await vi.waitFor(async () => expect(await counted()).toBe(1), 30_000);
    };
    await whileHeld(app, 'lock table families in access exclusive mode', asked, leave);
  });
});

describe('gauges', () => {
  it('tell how the server stands', async () => {
    const at = new Date('2026-11-01T03:00:00Z');
    await app.sql(`insert into settings (key, value, updated_at) values ('last_backup', $1, now())`, [
      JSON.stringify({ at: at.toISOString() }),
    ]);
    await without(app, 'replays', async () => {
      const { body } = await app.admin('POST', '/admin/jobs', { name: 'expiry-sweep' });
      const state = async () => (await app.admin('GET', `/admin/jobs/${body.id}`)).body.state;
      await vi.waitFor(async () => expect(await state()).toBe('failed'), 20_000);
    });
    await tokensOf(await aFlow(app));
    const fresh = await startTestApp({ beside: app });
    try {
      const now = new Map((await scraped(fresh)).map((sample) => [seriesOf(sample), sample.value]));
      expect(now.get('authserver_dependency_up{dependency="database"}')).toBe(1);
      expect(now.get('authserver_db_pool_max_connections')).toBe(25);
      expect(now.get('authserver_db_pool_connections{state="in_use"}')).toBeGreaterThanOrEqual(0);
      expect(now.get('authserver_db_pool_waiting')).toBe(0);
      expect(now.get('authserver_breakers_open{dependency="outgoing"}')).toBe(0);
      expect(now.get('authserver_outbox_rows')).toBeGreaterThanOrEqual(0);
      expect(now.get('authserver_outbox_oldest_seconds')).toBeGreaterThanOrEqual(0);
      expect(now.get('authserver_job_oldest_waiting_seconds')).toBeGreaterThanOrEqual(0);
      expect(now.get('authserver_jobs{state="failed"}')).toBe(1);
      expect(now.get('authserver_active_clients')).toBe(2);
      expect(now.get('authserver_active_token_families')).toBe(2);
      expect(now.get('authserver_signing_key_age_seconds')).toBeLessThan(3600);
      expect(now.get('authserver_signing_key_rotation_due_seconds')).toBeGreaterThan(89 * 86_400);
      expect(now.get('authserver_client_secrets_expiring{days="30"}')).toBe(0);
      expect(now.get('authserver_audit_queue_rows')).toBe(0);
      expect(now.get('authserver_backup_last_success_timestamp_seconds')).toBe(at.getTime() / 1000);
      expect(now.get('process_resident_memory_bytes')).toBeGreaterThan(1e7);
    } finally {
      await fresh.close();
    }
  });
});
