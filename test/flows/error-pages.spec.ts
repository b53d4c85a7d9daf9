import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, postForm } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';

let app: TestApp;
const browser = new HttpBrowser();

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(async () => {
  await app.close();
});

describe('error pages', () => {
  it('are where the error_uri of an answer leads, to the very symptom', async () => {
    const { body } = await postForm(
      app,
      '/oauth/token',
      { grant_type: 'refresh_token', refresh_token: 'unknown' },
      await aClient(app),
    );
    const uri = new URL(body.error_uri);
    const page = await browser.get(uri.href);
    expect(page.status).toBe(200);
    expect(page.html).toContain(`id="${uri.hash.slice(1)}"`);
    expect(page.html).toContain(body.error_description);
  });

  it('have an index that leads to every code', async () => {
    const index = await browser.get(`${app.issuer}/errors`);
    const links = [...index.html.matchAll(/<h2[^>]*><a href="([^"]*)"/g)].map(([, href]) => href);
    expect(links.length).toBeGreaterThan(8);
    for (const link of links) expect((await browser.get(`${app.issuer}${link}`)).status).toBe(200);
  });

  it.each(['/errors/no_such_code', '/errors/toString', '/errors/__proto__', '/errors/%3Cscript%3E'])(
    'are 404 at %s',
    async (path) => {
      const page = await browser.get(`${app.issuer}${path}`);
      expect(page.status).toBe(404);
      expect(page.html).not.toContain('<script>');
    },
  );

  it('may be read from any site, without credentials', async () => {
    const { response } = await browser.get(`${app.issuer}/errors/invalid_grant`, { origin: 'https://tool.example' });
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('name the request id when something failed in the browser', async () => {
    const page = await browser.get(`${app.issuer}/consent?request=nonsense`);
    expect(page.status).toBe(403);
    expect(page.html).toContain(page.response.headers.get('x-request-id') ?? 'no id');
    expect(page.html).toContain(`${app.issuer}/errors/access_denied#flow-of-another-browser`);
  });
});
