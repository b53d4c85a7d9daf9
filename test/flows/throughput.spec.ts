import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, postForm, type ClientFixture } from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    settings: { RATE_LIMIT_RPS: '1', RATE_LIMIT_BURST: '20', CLIENT_CREDENTIALS_ENABLED: 'true' },
  });
});
afterAll(() => app.close());

const ask = (client: ClientFixture) => postForm(app, '/oauth/revoke', { token: 'x' }, client);

describe('how much may be asked for', () => {
  it('[K7] is counted per client: one that is too busy does not stop its neighbour at the same address', async () => {
    const [busy, quiet] = [await aClient(app), await aClient(app)];
    const answers = await Promise.all(Array.from({ length: 25 }, () => ask(busy)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.body).toMatchObject({ error: 'slow_down', error_description: 'too many requests' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask(quiet)).status).toBe(200);
  });

  it('[K7] is counted once for a request that is decided again, because policy moved meanwhile', async () => {
    const { body } = await app.admin('POST', '/admin/clients', {
      client_name: 'Machine',
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'read',
    });
    const client = { id: body.client_id, secret: body.client_secret } as ClientFixture;
    const statuses: number[] = [];
    for (let sent = 0; sent < 20; sent += 1) {
      await app.sql('update policy_epoch set epoch = epoch + 1');
      const form = { grant_type: 'client_credentials', scope: 'read' };
      statuses.push((await postForm(app, '/oauth/token', form, client)).status);
    }
    expect(statuses).toEqual(Array.from({ length: 20 }, () => 200));
  });

  it('[K7] is counted per address where nobody is known, and never for health probes', async () => {
    const statuses: number[] = [];
    for (let sent = 0; sent < 22; sent += 1) {
      statuses.push((await fetch(`${app.issuer}/.well-known/jwks.json`)).status);
    }
    expect(statuses).toContain(429);
    const page = await fetch(`${app.issuer}/login`, { headers: { accept: 'text/html' } });
    expect([page.status, page.headers.get('content-type')]).toEqual([429, 'text/html; charset=utf-8']);
    expect((await fetch(`${app.issuer}/livez`)).status).toBe(200);
  });
});
