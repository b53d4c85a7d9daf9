import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aConfidentialClient, audited, type ClientFixture } from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

/** Who asks is known when the answer is about the refresh token. */
async function askAs(form: Record<string, string>, authorization?: string): Promise<string> {
  const response = await fetch(`${app.url}/oauth/token`, {
    method: 'POST',
    headers: authorization === undefined ? {} : { authorization },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'none', ...form }),
  });
  const body = (await response.json()) as { error: string };
  return body.error === 'invalid_grant' ? 'known' : body.error;
}

const rotate = async (client: ClientFixture, body: object): Promise<string> => {
  const answer = await app.admin('POST', `/admin/clients/${client.id}/rotate-secret`, body);
  expect(answer.status).toBe(200);
  return answer.body.client_secret;
};

describe('a client is known', () => {
  it('by its id alone when it is public', async () => {
    const { id } = await aClient(app);
    expect(await askAs({ client_id: id })).toBe('known');
  });

  it('[K8] by Basic, raw as the TypeScript SDK sends it and encoded as the Python SDK does', async () => {
    const { id, secret = '' } = await aConfidentialClient(app);
    expect(await askAs({}, basic(id, secret))).toBe('known');
    expect(await askAs({ client_id: id }, basic(encodeURIComponent(id), encodeURIComponent(secret)))).toBe('known');
    expect(encodeURIComponent(id + secret)).toBe(id + secret);
  });

  it('by id and secret in the form', async () => {
    const { id, secret = '' } = await aClient(app, { token_endpoint_auth_method: 'client_secret_post' });
    expect(await askAs({ client_id: id, client_secret: secret })).toBe('known');
  });
});

describe('the secret of a client', () => {
  it('is joined by a new one and works on for the overlap', async () => {
    const client = await aConfidentialClient(app);
    const next = await rotate(client, { overlap: '1h' });
    expect(await askAs({}, basic(client.id, client.secret ?? ''))).toBe('known');
    expect(await askAs({}, basic(client.id, next))).toBe('known');
    app.clock.advance(3600);
    expect(await askAs({}, basic(client.id, client.secret ?? ''))).toBe('invalid_client');
    expect(await askAs({}, basic(client.id, next))).toBe('known');
    expect((await audited(app, 'client.secret_rotated')).filter((row) => row.client_id === client.id)).toHaveLength(1);
  });

  it('ends at once when no overlap is wanted', async () => {
    const client = await aConfidentialClient(app);
    const next = await rotate(client, { overlap: '0' });
    expect(await askAs({}, basic(client.id, client.secret ?? ''))).toBe('invalid_client');
    expect(await askAs({}, basic(client.id, next))).toBe('known');
  });

  it('is one of two at most: a third ends the oldest', async () => {
    const client = await aConfidentialClient(app);
    app.clock.advance(1);
    const second = await rotate(client, {});
    app.clock.advance(1);
    const third = await rotate(client, {});
    expect(await askAs({}, basic(client.id, client.secret ?? ''))).toBe('invalid_client');
    expect(await askAs({}, basic(client.id, second))).toBe('known');
    expect(await askAs({}, basic(client.id, third))).toBe('known');
    for (let n = 0; n < 3; n++) await rotate(client, {});
    expect(await app.sql('select id from client_secrets where client_id = $1', [client.id])).toHaveLength(3);
  });

  it('does not exist for a public client', async () => {
    const { id } = await aClient(app);
    expect((await app.admin('POST', `/admin/clients/${id}/rotate-secret`, {})).status).toBe(409);
  });
});

describe('an operator', () => {
  it('suspends and reactivates, with a new version and an audit row each', async () => {
    const { id } = await aClient(app);
    const versionNow = async () =>
      Number((await app.sql<{ version: string }>('select version from clients where id = $1', [id]))[0]?.version);
    const before = await versionNow();
    await app.admin('PATCH', `/admin/clients/${id}/suspend`);
    expect(await askAs({ client_id: id })).toBe('invalid_client');
    await app.admin('PATCH', `/admin/clients/${id}/reactivate`);
    expect(await askAs({ client_id: id })).toBe('known');
    expect(await versionNow()).toBe(before + 2);
    for (const action of ['client.suspended', 'client.reactivated']) {
      expect((await audited(app, action)).filter((row) => row.client_id === id)).toHaveLength(1);
    }
  });

  it('changes nothing by asking twice', async () => {
    const { id } = await aClient(app);
    for (let n = 0; n < 2; n++)
      expect((await app.admin('PATCH', `/admin/clients/${id}/suspend`)).body).toEqual({ status: 'suspended' });
    expect((await audited(app, 'client.suspended')).filter((row) => row.client_id === id)).toHaveLength(1);
  });

  it('revokes for good', async () => {
    const { id } = await aClient(app);
    expect((await app.admin('PATCH', `/admin/clients/${id}/revoke`)).body).toEqual({ status: 'revoked' });
    expect(await askAs({ client_id: id })).toBe('invalid_client');
    expect((await app.admin('PATCH', `/admin/clients/${id}/reactivate`)).status).toBe(409);
    expect((await app.admin('PATCH', `/admin/clients/${id}/suspend`)).status).toBe(409);
  });

  it('moves the time of the last security change with the redirects, not with the name', async () => {
    const { id } = await aClient(app);
    const changedAt = async () =>
      (await app.sql<{ security_changed_at: Date }>('select security_changed_at from clients where id = $1', [id]))[0]
        ?.security_changed_at;
    const before = await changedAt();
    app.clock.advance(60);
    await app.admin('PATCH', `/admin/clients/${id}`, { client_name: 'Other' });
    expect(await changedAt()).toEqual(before);
    await app.admin('PATCH', `/admin/clients/${id}`, { redirect_uris: ['https://client.example/other'] });
    expect(await changedAt()).toEqual(app.clock.now());
  });

  it('lists clients by source and status, page by page', async () => {
    const made = new Set([(await aClient(app)).id, (await aClient(app)).id, (await aClient(app)).id]);
    const found: string[] = [];
    let cursor = '';
    do {
      const { body } = await app.admin(
        'GET',
        `/admin/clients?source=admin&status=active&limit=2${cursor && `&cursor=${cursor}`}`,
      );
      expect(body.clients.length).toBeLessThanOrEqual(2);
      found.push(...body.clients.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor ?? '';
    } while (cursor);
    expect(new Set(found).size).toBe(found.length);
    expect(found.filter((id) => made.has(id))).toHaveLength(3);
    expect((await app.admin('GET', '/admin/clients?source=cimd')).body.clients).toEqual([]);
  });
});
