import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aFlow, authorizeUrl, pkce, type ClientFixture, type Flow } from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';
import { recorded } from '../recorded.js';

let app: TestApp;
let flow: Flow;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
  flow = await aFlow(app);
});
afterEach(async () => {
  const tables = ['authorization_codes', 'consents', 'families', 'issuances', 'sessions'];
  for (const table of tables) expect(await app.sql(`select * from ${table}`)).toEqual([]);
});
afterAll(() => app.close());

type Parameters = Record<string, string | undefined>;

const challenge = pkce().challenge;
const ask = (parameters: Parameters = {}, client: Partial<ClientFixture> = {}): Promise<Visit> =>
  new HttpBrowser().get(authorizeUrl({ ...flow, client: { ...flow.client, ...client } }, challenge, parameters));
/** A good request with something after it, as bytes. */
const askAndAppend = (bytes: string, parameters: Parameters = {}): Promise<Visit> =>
  new HttpBrowser().get(`${authorizeUrl(flow, challenge, parameters)}&${bytes}`);

/** A page that leads nowhere, with the public text, and the private reason in the audit. */
async function expectPage(visit: Visit, [description, reason]: readonly [string, string], clientId?: string | null) {
  expect([visit.status, visit.response.headers.get('location')]).toEqual([400, null]);
  expect(visit.response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(visit.html).toContain(`${description}.</`);
  const client = clientId === undefined ? {} : { client_id: clientId };
  expect(await recorded(app, visit.response)).toMatchObject([{ action: 'authorize.denied', reason, ...client }]);
}

describe('[A14 B2] an application that is not known', () => {
  const unknown = 'This application is not known here';

  it.each([
    ['no client_id', undefined, 'client_missing'],
    ['an empty client_id', '', 'client_missing'],
    ['an id that nobody has', 'nobody', 'client_unknown'],
    ['SQL', "' or '1'='1", 'client_unknown'],
    ['a name of the language', '__proto__', 'client_unknown'],
    ['a URL whose document may not be fetched', 'http://client.example/metadata', 'metadata_document_wrong'],
    ['markup', '<script>alert(1)</script>', 'client_unknown'],
  ])('gets a page, not a redirect: %s', async (_, id, reason) => {
    const page = await ask({ client_id: id });
    await expectPage(page, [unknown, reason], id || null);
    expect(page.html).not.toContain('<script>');
  });

  it('gets a page when its id has a space too many or another case', async () => {
    for (const id of [`${flow.client.id} `, ` ${flow.client.id}`, flow.client.id.toUpperCase()])
      await expectPage(await ask({ client_id: id }), [unknown, 'client_unknown']);
  });

  it.each([
    ['suspend', 'client_suspended'],
    ['revoke', 'client_revoked'],
  ])('gets a page after the operator chose %s, from the next request on', async (verb, reason) => {
    const client = await aClient(app);
    expect((await ask({}, client)).location).toContain('/login?');
    await app.admin('PATCH', `/admin/clients/${client.id}/${verb}`);
    await expectPage(await ask({}, client), [unknown, reason], client.id);
  });

  it('gets a page after it was deleted', async () => {
    const client = await aClient(app);
    await app.admin('DELETE', `/admin/clients/${client.id}`);
    await expectPage(await ask({}, client), [unknown, 'client_unknown'], client.id);
  });
});

describe('[A13 A14 B1 B2 P7] a redirect URI that is not the registered one', () => {
  const notRegistered = ['redirect_uri is not registered for this client', 'redirect_not_registered'] as const;

  it.each([
    ['one byte more', 'https://client.example/callback1'],
    ['one byte less', 'https://client.example/callbac'],
    ['another case in the path', 'https://client.example/Callback'],
    ['another case in the host', 'https://Client.example/callback'],
    ['another case in the scheme', 'HTTPS://client.example/callback'],
    ['a slash at the end', 'https://client.example/callback/'],
    ['a query', 'https://client.example/callback?next=1'],
    ['an empty query', 'https://client.example/callback?'],
    ['a fragment', 'https://client.example/callback#top'],
    ['an empty fragment', 'https://client.example/callback#'],
    ['path parameters', 'https://client.example/callback;x=1'],
    ['the default port', 'https://client.example:443/callback'],
    ['another port', 'https://client.example:8443/callback'],
    ['an empty port', 'https://client.example:/callback'],
    ['http', 'http://client.example/callback'],
    ['a dot after the host', 'https://client.example./callback'],
    ['a host before the host', 'https://evil.client.example/callback'],
    ['a host after the host', 'https://client.example.evil.example/callback'],
    ['another host', 'https://evil.example/callback'],
    ['no host', '/callback'],
    ['no scheme', '//client.example/callback'],
    ['our own page', '/login'],
    ['a space before it', ' https://client.example/callback'],
    ['a space after it', 'https://client.example/callback '],
    ['two of them', 'https://client.example/callback https://evil.example/'],
    ['a script', 'javascript:location="https://client.example/callback"'],
    ['data', 'data:text/html,https://client.example/callback'],
    ['a user name', 'https://ada@client.example/callback'],
    ['the registered host as user name', 'https://client.example@evil.example/callback'],
    ['the registered host as user name and password', 'https://client.example:443@evil.example/callback'],
    ['a backslash before the path', 'https://client.example\\callback'],
    ['a backslash before an at sign', 'https://evil.example\\@client.example/callback'],
    ['an encoded letter', 'https://client.example/%63allback'],
    ['an encoded slash', 'https://client.example%2fcallback'],
    ['an encoded at sign', 'https://client.example%40evil.example/callback'],
    ['a byte encoded twice', 'https://client.example/callback%2500'],
    ['an encoded NUL that stays encoded', 'https://client.example/callback%00'],
    ['an encoded tab that stays encoded', 'https://client.example/%09callback'],
    ['dots that lead back to it', 'https://client.example/x/../callback'],
    ['dots that lead away', 'https://client.example/callback/../evil'],
    ['encoded dots', 'https://client.example/callback/%2e%2e/evil'],
    ['a full-width letter', 'https://client.example/\uff43allback'],
    ['a letter that looks the same', 'https://cl\u0456ent.example/callback'],
    ['a letter that lower case makes the same', 'https://client.example/\u212aallback'],
  ])('gets a page: %s', async (_, redirect_uri) => {
    await expectPage(await ask({ redirect_uri }), notRegistered, flow.client.id);
  });

  it.each([
    ['a tab', 'https://client.example/call\tback'],
    ['a tab in the scheme', 'java\tscript:alert(1)'],
    ['a line break', 'https://client.example/callback\r\nSet-Cookie: a=b'],
    ['NUL', 'https://client.example/callback\0'],
    ['delete', 'https://client.example/callback\x7f'],
    ['over four KiB', `https://client.example/callback?${'x'.repeat(4096)}`],
  ])('[P5 P6] gets a page as malformed: %s', async (_, redirect_uri) => {
    await expectPage(await ask({ redirect_uri }), ['redirect_uri is malformed', 'parameter_malformed']);
  });

  it.each([
    ['another name of the host', 'http://localhost:4000/callback'],
    ['IPv6', 'http://[::1]:4000/callback'],
    ['another address of this computer', 'http://127.0.0.2:4000/callback'],
    ['a shorter spelling', 'http://127.1:4000/callback'],
    ['https', 'https://127.0.0.1:4000/callback'],
    ['another path', 'http://127.0.0.1:4000/callback/x'],
    ['a port that is none', 'http://127.0.0.1:70000/callback'],
    ['port 0', 'http://127.0.0.1:0/callback'],
    ['a port with a leading zero', 'http://127.0.0.1:04000/callback'],
    ['an empty port', 'http://127.0.0.1:/callback'],
    ['letters for a port', 'http://127.0.0.1:4000x/callback'],
    ['a host that begins with it', 'http://127.0.0.1.evil.example/callback'],
    ['a user name and password before another host', 'http://127.0.0.1:4000@evil.example/callback'],
    ['a user name', 'http://ada@127.0.0.1:4000/callback'],
    ['a backslash', 'http://127.0.0.1:4000\\@evil.example/callback'],
    ['a fragment', 'http://127.0.0.1:4000/callback#x'],
    ['dots', 'http://127.0.0.1:4000/x/../callback'],
  ])('gets a page where only the port of a loopback address is free: %s', async (_, redirect_uri) => {
    const client = await aClient(app, { redirect_uris: ['http://127.0.0.1/callback'] });
    await expectPage(await ask({ redirect_uri }, client), notRegistered, client.id);
  });

  it('gets a page when it is missing and the client has several', async () => {
    const client = await aClient(app, { redirect_uris: ['https://a.example/', 'https://b.example/'] });
    const page = await ask({ redirect_uri: undefined }, client);
    await expectPage(page, [notRegistered[0], 'redirect_missing'], client.id);
  });

  it('gets a page from the moment it was taken off the list', async () => {
    const client = await aClient(app);
    await app.admin('PATCH', `/admin/clients/${client.id}`, { redirect_uris: ['https://new.example/callback'] });
    await expectPage(await ask({}, client), notRegistered, client.id);
  });

  it("gets a page when it is another client's", async () => {
    const client = await aClient(app, { redirect_uris: ['https://other.example/callback'] });
    await expectPage(await ask({ redirect_uri: client.redirectUri }), notRegistered, flow.client.id);
  });
});

describe('[A14 B2] a return address that may be read in two ways', () => {
  it.each([
    ['client_id', 'client_id=x'],
    ['redirect_uri', 'redirect_uri=https://evil.example/'],
    ['state', 'state=another'],
    ['client_id', '%63lient_id=x'],
    ['redirect_uri', 'redirect%5Furi=https://evil.example/'],
    ['redirect_uri', 'redirect_uri='],
    ['redirect_uri', 'redirect_uri'],
  ])('[P1] gets a page when %s comes twice (%s)', async (name, bytes) => {
    const said = name === 'state' ? 'State' : name;
    await expectPage(await askAndAppend(bytes), [`${said} must not be sent more than once`, 'parameter_repeated']);
  });

  it.each([
    ['state', '%00'],
    ['state', '%zz'],
    ['state', '%c0%af'],
    ['state', '%ff'],
    ['client_id', '%00'],
    ['client_id', '%'],
    ['redirect_uri', '%ed%a0%80'],
    ['state', 'x'.repeat(4097)],
  ])('[P5 P6] gets a page when %s is %s', async (name, bytes) => {
    const said = name === 'state' ? 'State' : name;
    const page = await askAndAppend(`${name}=${bytes}`, { [name]: undefined });
    await expectPage(page, [`${said} is malformed`, 'parameter_malformed']);
  });
});
