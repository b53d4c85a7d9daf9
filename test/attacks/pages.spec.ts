import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aFlow, aResource, aUser, authorizeUrl, pkce, signIn, type Flow } from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
let flow: Flow;
beforeAll(async () => {
  app = await startTestApp({
    settings: { RATE_LIMIT_ENABLED: 'false', OAUTH_ALLOWED_REDIRECT_SCHEMES: 'com.example.notes' },
  });
  flow = await aFlow(app);
});
afterAll(() => app.close());

async function consentPage(of: Flow, browser = new HttpBrowser()): Promise<Visit> {
  const visit = await browser.follow(await browser.get(authorizeUrl(of, pkce().challenge)), app.issuer);
  const page = visit.html.includes('name="decision"')
    ? visit
    : await browser.follow(await signIn(browser, visit, of.user), app.issuer);
  expect(page.html).toContain('name="decision"');
  return page;
}

async function signedIn(): Promise<HttpBrowser> {
  const browser = new HttpBrowser();
  await signIn(browser, await browser.get(`${app.issuer}/login`), flow.user);
  return browser;
}

const at = (path: string, headers = {}): Promise<Visit> => new HttpBrowser().get(`${app.issuer}${path}`, headers);

describe('every page', () => {
  const pages: [string, number, () => Promise<Visit>][] = [
    ['the sign-in page', 200, () => at('/login')],
    [
      'a refused sign-in',
      422,
      async () => {
        const browser = new HttpBrowser();
        const page = await browser.get(`${app.issuer}/login`);
        return signIn(browser, page, { ...flow.user, password: 'not the password' });
      },
    ],
    ['the consent page', 200, () => consentPage(flow)],
    ['the account page', 200, async () => (await signedIn()).get(`${app.issuer}/account`)],
    ['a refused authorization request', 400, () => at('/oauth/authorize?client_id=nobody')],
    ['a flow of another browser', 403, () => at('/consent?request=x')],
    ['an unknown path', 404, () => at('/nothing')],
    ['a URL that is too long', 414, () => at(`/login?x=${'x'.repeat(17_000)}`)],
    ['the explanation of an error', 200, () => at('/errors/invalid_grant')],
  ];

  it.each(pages)('[B17 B20 B21] loads nothing, runs nothing, is framed by nobody, is not kept: %s', async (...each) => {
    const [, status, open] = each;
    const visit = await open();
    expect(visit.status).toBe(status);
    const { headers } = visit.response;
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; frame-ancestors 'none'$/,
    );
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
    });
    expect(headers.has('strict-transport-security')).toBe(false);
    expect(headers.has('x-powered-by')).toBe(false);
    expect(visit.html).not.toMatch(/<script|<iframe|<link|<object|<img|\son[a-z]+=|javascript:|style="/i);
    expect(visit.html).not.toMatch(/(?:src|action)="(?!\/)/);
  });

  it('does not adopt the request id that somebody else chose', async () => {
    const { response, html } = await at('/nothing', { 'x-request-id': 'chosen' });
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(html).not.toContain('chosen');
  });
});

describe('the consent page', () => {
  const pageFor = async (draft: Record<string, unknown>, change: Partial<Flow> = {}): Promise<string> => {
    const client = await aClient(app, draft);
    return (await consentPage({ ...flow, client, ...change })).html;
  };
  const shownHost = (html: string): string | undefined => /<strong class="host">([^<]*)<\/strong>/.exec(html)?.[1];

  it.each([
    ['a plain host', 'https://client.example/callback', 'client.example'],
    ['a port', 'https://client.example:8443/callback', 'client.example'],
    ['another host in the query', 'https://evil.example/?https://bank.example/', 'evil.example'],
    ['another host in the path', 'https://evil.example/bank.example/login', 'evil.example'],
    ['another host before it', 'https://bank.example.evil.example/', 'bank.example.evil.example'],
    ['letters that look like others', 'https://xn--pple-43d.example/', 'xn--pple-43d.example'],
    ['a scheme of its own', 'com.example.notes:/callback', 'com.example.notes:'],
    ['a scheme of its own with a host', 'com.example.notes://bank.example/', 'com.example.notes://bank.example'],
  ])('[A22 P8] shows where the browser goes: %s', async (_, redirect, host) => {
    expect(shownHost(await pageFor({ redirect_uris: [redirect] }))).toBe(host);
  });

  it.each([
    'https://bank.example@evil.example/',
    'https://bank.example:443@evil.example/',
    'https://\u0430pple.example/',
    'https://bank.example\\@evil.example/',
    'https://evil.example%2fbank.example/',
  ])('[P7 P8] cannot be made to show a host for %s, which nobody can register', async (redirect) => {
    const { status } = await app.admin('POST', '/admin/clients', { client_name: 'x', redirect_uris: [redirect] });
    expect(status).toBe(400);
  });

  it.each(['http://127.0.0.1/callback', 'http://localhost/callback', 'http://[::1]/callback'])(
    '[A21] marks %s as this computer',
    async (redirect) => {
      const html = await pageFor({ redirect_uris: [redirect] });
      expect(shownHost(html)).toBe(new URL(redirect).hostname);
      expect(html).toContain('A program on this computer. Go on only if you just started it yourself.');
    },
  );

  it('[A15] tells that a client registered itself, and that nobody checked its name', async () => {
    const response = await fetch(`${app.url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Your Bank', redirect_uris: ['https://own.example/cb'] }),
    });
    const { client_id: id } = (await response.json()) as { client_id: string };
    const { html } = await consentPage({ ...flow, client: { id, redirectUri: 'https://own.example/cb' } });
    expect(html).toContain('Registered itself');
    expect(html).toContain('It chose its own name, and nobody checked it.');
    expect(await pageFor({})).not.toContain('Registered itself');
  });

  it('shows markup in names as text', async () => {
    const markup = '<img src=x onerror="alert(1)">&amp;\'';
    const shown = '&lt;img src=x onerror=&quot;alert(1)&quot;>&amp;amp;';
    const resource = await aResource(app, {
      display_name: `R ${markup}`,
      scopes: [
        { name: 'notes:read', description: `S ${markup}` },
        { name: 'notes:write', description: '' },
      ],
    });
    const user = await aUser(app, { name: `U ${markup}` });
    const html = await pageFor({ client_name: `C ${markup}` }, { resource, user });
    expect(html).not.toContain('<img');
    for (const letter of ['C', 'R', 'S']) expect(html.replaceAll('&gt;', '>')).toContain(`${letter} ${shown}`);
  });

  it('shows a state, a request and an error of a stranger nowhere', async () => {
    const parameters = { state: '"><b>state</b>', code_challenge: '"><b>challenge</b>' };
    const visit = await new HttpBrowser().get(authorizeUrl(flow, pkce().challenge, parameters));
    expect(visit.html).not.toContain('<b>');
    for (const path of ['/consent?request=%22%3E%3Cb%3E', '/login?request=%22%3E%3Cb%3E', '/%22%3E%3Cb%3E'])
      expect((await at(path)).html).not.toContain('<b>');
  });

  it('[B2] leads nowhere by a parameter: there is none that says where to go on', async () => {
    const evil = encodeURIComponent('https://evil.example/');
    for (const name of ['redirect', 'redirect_uri', 'next', 'return_to', 'continue', 'url']) {
      const browser = new HttpBrowser();
      const page = await browser.get(`${app.issuer}/login?${name}=${evil}`);
      expect(page.html).not.toContain('evil.example');
      expect((await signIn(browser, page, flow.user)).location).toBe(`${app.issuer}/account`);
      const fields = { ...page.form('password'), [name]: 'https://evil.example/' };
      const again = await browser.post(`${app.issuer}/login`, { ...fields, ...flow.user });
      expect(again.location).toBe(`${app.issuer}/account`);
    }
  });
});
