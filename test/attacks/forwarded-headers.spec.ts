import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { audited, postForm } from '../builders.js';

const forged = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' };

let app: TestApp;
let behindProxy: TestApp;
beforeAll(async () => {
  app = await startTestApp();
  behindProxy = await startTestApp({ settings: { SERVER_TRUSTED_PROXIES: '127.0.0.1/32' } });
});
afterAll(async () => {
  await app.close();
  await behindProxy.close();
});

async function recordedAddress(at: TestApp, headers: Record<string, string>): Promise<unknown> {
  await fetch(`${at.issuer}/oauth/token`, { method: 'POST', headers, body: new URLSearchParams({ grant_type: 'x' }) });
  const [row] = await at.sql('select ip from audit_events where action = $1 order by id desc limit 1', [
    'token.issue_denied',
  ]);
  return row?.['ip'];
}

describe('[B16] forwarded headers', () => {
  it('change nothing while no proxy is trusted', async () => {
    expect(await recordedAddress(app, forged)).toBe('127.0.0.1');
    const metadata = await (
      await fetch(`${app.issuer}/.well-known/oauth-authorization-server`, { headers: forged })
    ).json();
    expect(metadata).toMatchObject({ issuer: app.issuer, token_endpoint: `${app.issuer}/oauth/token` });
  });

  it('name the client of a trusted proxy, and only the address that this proxy saw', async () => {
    expect(await recordedAddress(behindProxy, { 'x-forwarded-for': '198.51.100.1, 203.0.113.7' })).toBe('203.0.113.7');
  });

  it('do not open a new budget for guessing secrets', async () => {
    const guess = (at: TestApp, from: string) =>
      fetch(`${at.issuer}/oauth/token`, {
        method: 'POST',
        headers: { 'x-forwarded-for': from, authorization: `Basic ${Buffer.from('nobody:wrong').toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'authorization_code' }),
      });
    const statuses: number[] = [];
    for (let tried = 0; tried < 12; tried += 1) statuses.push((await guess(app, `203.0.113.${tried}`)).status);
    expect(statuses.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 401));
    expect(statuses.at(-1)).toBe(429);
    expect((await audited(app, 'token.issue_denied'))[0]).toMatchObject({ reason: 'rate_limited' });
  });

  it('never become part of a URL', async () => {
    const { body } = await postForm(app, '/oauth/token', { grant_type: 'x', client_id: 'y' });
    expect(body.error_uri.startsWith(`${app.issuer}/errors/`)).toBe(true);
  });
});

describe('the Host header', () => {
  const status = (base: string, host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request(`${base}/livez`, { headers: { host } }, (res) => resolve(res.resume().statusCode))
        .once('error', reject)
        .end();
    });

  it('is refused on both listeners of a localhost issuer when it names another host (DNS rebinding)', async () => {
    for (const base of [app.issuer, app.adminUrl]) {
      expect(await status(base, 'evil.example')).toBe(421);
      expect(await status(base, `localhost:${new URL(base).port}`)).toBe(200);
    }
  });

  it('may be what admin.allowed_hosts says, however that is spelled', async () => {
    const pod = await startTestApp({ settings: { ADMIN_ALLOWED_HOSTS: 'fd00::1f,10.1.2.3,AuthPlane.internal' } });
    for (const host of ['[fd00::1f]:9001', '10.1.2.3:9001', 'authplane.internal', 'AUTHPLANE.internal:9001'])
      expect([host, await status(pod.adminUrl, host)]).toEqual([host, 200]);
    for (const host of ['[fd00::1]:9001', 'fd00::1f', '10.1.2.4', 'internal'])
      expect([host, await status(pod.adminUrl, host)]).toEqual([host, 421]);
    await pod.close();
  });
});
