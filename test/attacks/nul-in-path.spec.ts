import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { rawRequest } from '../raw-request.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.close());

describe('U+0000 in a path names nothing, on either listener and at any route', () => {
  it.each([
    ['GET', '/connect/%00'],
    ['POST', '/connect/%00'],
    ['GET', '/connect/%00/callback'],
    ['GET', '/connect/a%00b/callback?code=a&state=b'],
    ['DELETE', '/connections/%00'],
    ['POST', '/connections/%00/disconnect'],
    ['GET', '/oauth/register/%00'],
    ['DELETE', '/oauth/register/a%00'],
    ['GET', '/auth/%00/callback'],
    ['GET', '/errors/%00'],
    ['GET', '/.well-known/oauth-protected-resource/%00'],
    ['GET', '/.well-known/oauth-authorization-server/%00'],
    ['POST', '/oauth/token%00'],
  ])('%s %s', async (method, path) => {
    const headers = { authorization: 'Bearer anything', 'content-type': 'application/x-www-form-urlencoded' };
    expect(
      (await rawRequest(app.url, path, { method, headers, body: method === 'POST' ? 'a=b' : undefined })).status,
    ).toBe(404);
  });

  it.each(['clients', 'resources', 'users', 'broker-providers', 'issuances', 'connections', 'xaa/policies', 'jobs'])(
    'GET, PATCH and DELETE /admin/%s/… are asked nothing either',
    async (path) => {
      for (const method of ['GET', 'PATCH', 'DELETE'])
        expect((await app.admin(method, `/admin/${path}/a%00b`, method === 'PATCH' ? {} : undefined)).status).toBe(404);
    },
  );

  it('and nothing of it was unexpected', () => {
    expect(app.logged.filter((line) => line.includes('unexpected error'))).toEqual([]);
  });
});
