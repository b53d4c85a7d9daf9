import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aResource,
  authorizeUrl,
  pkce,
  type ClientFixture,
  type Flow,
} from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

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

async function recorded(visit: Visit): Promise<Record<string, unknown>[]> {
  return app.sql('select action, reason, client_id from audit_events where request_id = $1', [
    visit.response.headers.get('x-request-id'),
  ]);
}

/** A page that leads nowhere, with the public text, and the private reason in the audit. */
async function expectPage(visit: Visit, [description, reason]: readonly [string, string], clientId?: string | null) {
  expect([visit.status, visit.response.headers.get('location')]).toEqual([400, null]);
  expect(visit.response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(visit.html).toContain(`${description}.</`);
  const client = clientId === undefined ? {} : { client_id: clientId };
  expect(await recorded(visit)).toMatchObject([{ action: 'authorize.denied', reason, ...client }]);
}

/** The error at the client, with state and iss, and the private reason in the audit alone. */
async function expectRedirect(
  visit: Visit,
  [error, description, reason]: readonly [string, string, string],
  { redirectUri, id } = flow.client,
) {
  expect(visit.status).toBe(303);
  expect(visit.response.headers.get('location')).toContain(`${redirectUri}?error=${error}&`);
  expect(visit.response.headers.get('cache-control')).toBe('no-store');
  const { error_uri, ...answer } = Object.fromEntries(new URL(visit.location ?? '').searchParams);
  expect(answer).toEqual({ error, error_description: description, state: 'a-state', iss: app.issuer });
  expect(error_uri).toMatch(new RegExp(`^${app.issuer}/errors/${error}#[a-z-]+$`));
  expect(await recorded(visit)).toMatchObject([{ action: 'authorize.denied', reason, client_id: id }]);
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

describe('[A13 A14 B1 B2] a redirect URI that is not the registered one', () => {
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
    ['[P7] a user name', 'https://ada@client.example/callback'],
    ['[P7] the registered host as user name', 'https://client.example@evil.example/callback'],
    ['[P7] the registered host as user name and password', 'https://client.example:443@evil.example/callback'],
    ['[P7] a backslash before the path', 'https://client.example\\callback'],
    ['[P7] a backslash before an at sign', 'https://evil.example\\@client.example/callback'],
    ['[P7] an encoded letter', 'https://client.example/%63allback'],
    ['[P7] an encoded slash', 'https://client.example%2fcallback'],
    ['[P7] an encoded at sign', 'https://client.example%40evil.example/callback'],
    ['[P7] a byte encoded twice', 'https://client.example/callback%2500'],
    ['[P7] an encoded NUL that stays encoded', 'https://client.example/callback%00'],
    ['[P7] an encoded tab that stays encoded', 'https://client.example/%09callback'],
    ['[P7] dots that lead back to it', 'https://client.example/x/../callback'],
    ['[P7] dots that lead away', 'https://client.example/callback/../evil'],
    ['[P7] encoded dots', 'https://client.example/callback/%2e%2e/evil'],
    ['[P7] a full-width letter', 'https://client.example/\uff43allback'],
    ['[P7] a letter that looks the same', 'https://cl\u0456ent.example/callback'],
    ['[P7] a letter that lower case makes the same', 'https://client.example/\u212aallback'],
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
  ])('[P5 P6 P7] gets a page as malformed: %s', async (_, redirect_uri) => {
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
    ['[P1] client_id', 'client_id=x'],
    ['[P1] redirect_uri', 'redirect_uri=https://evil.example/'],
    ['[P1] state', 'state=another'],
    ['[P1] client_id', '%63lient_id=x'],
    ['[P1] redirect_uri', 'redirect%5Furi=https://evil.example/'],
    ['[P1] redirect_uri', 'redirect_uri='],
    ['[P1] redirect_uri', 'redirect_uri'],
  ])('gets a page when %s comes twice (%s)', async (title, bytes) => {
    const name = title.split(' ')[1] ?? '';
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

describe('[A7 9207.1] a request that is wrong otherwise', () => {
  const challengeRequired = 'code_challenge is required, with code_challenge_method S256';

  const cases: readonly [title: string, change: Parameters, error: string, description: string, reason: string][] = [
    [
      '[A1 B8] the implicit grant',
      { response_type: 'token' },
      'unsupported_response_type',
      'response_type must be code',
      'response_type_unsupported',
    ],
    [
      '[A1 B8] a hybrid',
      { response_type: 'code token' },
      'unsupported_response_type',
      'response_type must be code',
      'response_type_unsupported',
    ],
    [
      'response type none',
      { response_type: 'none' },
      'unsupported_response_type',
      'response_type must be code',
      'response_type_unsupported',
    ],
    [
      'another case of code',
      { response_type: 'Code' },
      'unsupported_response_type',
      'response_type must be code',
      'response_type_unsupported',
    ],
    [
      'no response type',
      { response_type: undefined },
      'unsupported_response_type',
      'response_type must be code',
      'response_type_unsupported',
    ],
    [
      '[P4] an empty response type',
      { response_type: '' },
      'unsupported_response_type',
      'response_type must be code',
      'response_type_unsupported',
    ],
    ['[B5 B6] no challenge', { code_challenge: undefined }, 'invalid_request', challengeRequired, 'challenge_missing'],
    ['[B6 P4] an empty challenge', { code_challenge: '' }, 'invalid_request', challengeRequired, 'challenge_missing'],
    [
      '[B6] the plain method',
      { code_challenge_method: 'plain' },
      'invalid_request',
      challengeRequired,
      'challenge_method_unsupported',
    ],
    [
      '[B6] no method, which would mean plain',
      { code_challenge_method: undefined },
      'invalid_request',
      challengeRequired,
      'challenge_method_unsupported',
    ],
    [
      'another case of S256',
      { code_challenge_method: 's256' },
      'invalid_request',
      challengeRequired,
      'challenge_method_unsupported',
    ],
    [
      'a challenge that is too short',
      { code_challenge: challenge.slice(1) },
      'invalid_request',
      challengeRequired,
      'challenge_malformed',
    ],
    [
      'a challenge with padding',
      { code_challenge: `${challenge}=` },
      'invalid_request',
      challengeRequired,
      'challenge_malformed',
    ],
    [
      'a challenge with other characters',
      { code_challenge: `${challenge.slice(2)}+/` },
      'invalid_request',
      challengeRequired,
      'challenge_malformed',
    ],
    ['prompt=none', { prompt: 'none' }, 'invalid_request', 'prompt=none is not supported', 'prompt_unsupported'],
    [
      'prompt=none among others',
      { prompt: 'login none' },
      'invalid_request',
      'prompt=none is not supported',
      'prompt_unsupported',
    ],
    ['a scope with a quote', { scope: 'notes:read "' }, 'invalid_request', 'scope is malformed', 'parameter_malformed'],
    [
      'a scope that is not ASCII',
      { scope: 'notes:lés' },
      'invalid_request',
      'scope is malformed',
      'parameter_malformed',
    ],
    [
      '[P6] over a hundred scopes',
      { scope: Array.from({ length: 101 }, (_, n) => `s${n}`).join(' ') },
      'invalid_request',
      'scope is malformed',
      'parameter_malformed',
    ],
    [
      '[8707.1] a resource that nobody registered',
      { resource: 'https://unknown.example/mcp' },
      'invalid_target',
      'resource is not registered',
      'resource_unknown',
    ],
    [
      '[8707.1] a resource that is no URI',
      { resource: 'notes' },
      'invalid_target',
      'resource is not registered',
      'resource_unknown',
    ],
  ];

  it.each(cases)('goes back to the client: %s', async (_, change, ...told) => {
    await expectRedirect(await ask(change), told);
  });

  it('goes back to the client: a scope that the resource does not declare, named with the resource', async () => {
    const description = `scope notes:delete is not declared by resource ${flow.resource.uri}`;
    await expectRedirect(await ask({ scope: 'notes:read notes:delete' }), [
      'invalid_scope',
      description,
      'scope_not_in_catalog',
    ]);
    await expectRedirect(await ask({ scope: 'NOTES:READ' }), [
      'invalid_scope',
      description.replace('notes:delete', 'NOTES:READ'),
      'scope_not_in_catalog',
    ]);
  });

  it("goes back to the client: a scope above the client's ceiling", async () => {
    const client = await aClient(app, { scope: 'notes:read' });
    await expectRedirect(
      await ask({}, client),
      ['invalid_scope', 'scope notes:write exceeds what this client may request', 'scope_above_ceiling'],
      client,
    );
  });

  it('goes back to the client: no scope, where resource and ceiling have none in common', async () => {
    const client = await aClient(app, { scope: 'calendar:read' });
    await expectRedirect(
      await ask({ scope: undefined }, client),
      ['invalid_scope', 'no scope of this resource can be granted to this client', 'scope_nothing_left'],
      client,
    );
  });

  it.each([
    ['a slash at the end', (uri: string) => `${uri}/`],
    ['another case', (uri: string) => uri.toUpperCase()],
    ['the default port', (uri: string) => uri.replace('.example', '.example:443')],
    ['an encoded letter', (uri: string) => uri.replace('/mcp', '/%6dcp')],
    ['one letter', (uri: string) => uri.replace('/mcp', '/mpc'.slice(0, 3))],
  ])('[8707.1] goes back to the client with the registered spelling: a resource with %s', async (_, change) => {
    const { uri } = flow.resource;
    await expectRedirect(await ask({ resource: change(uri) }), [
      'invalid_target',
      `resource is not registered; registered as ${uri}`,
      'resource_near_miss',
    ]);
  });

  it('[8707.1] goes back to the client: a resource with a fragment', async () => {
    const { uri } = flow.resource;
    const { searchParams } = new URL((await ask({ resource: `${uri}#tools` })).location ?? '');
    expect([searchParams.get('error'), searchParams.get('iss')]).toEqual(['invalid_target', app.issuer]);
  });

  it('[8707.1] goes back to the client: a slug, which is no resource here', async () => {
    await expectRedirect(await ask({ resource: flow.resource.slug }), [
      'invalid_target',
      'resource is not registered',
      'resource_unknown',
    ]);
  });

  it('goes back to the client: a resource that a broker serves', async () => {
    const uri = 'https://mail.example/api';
    await aResource(app, { uri, backend_kind: 'broker', slug: 'mail' });
    await expectRedirect(await ask({ resource: uri }), [
      'invalid_target',
      'resource is not registered',
      'resource_not_mint',
    ]);
  });

  it('[K3] goes back to the client: no resource, where the scopes do not tell which', async () => {
    await aResource(app);
    await expectRedirect(await ask({ resource: undefined }), [
      'invalid_target',
      'resource is required',
      'resource_ambiguous',
    ]);
  });

  it('goes back to the client: one that is not registered for the code flow', async () => {
    const client = await aConfidentialClient(app, {
      grant_types: ['client_credentials'],
      redirect_uris: [flow.client.redirectUri],
    });
    await expectRedirect(
      await ask({}, client),
      [
        'unauthorized_client',
        'this client is not registered for the authorization code flow',
        'code_flow_not_registered',
      ],
      client,
    );
  });

  it('goes back to the client: no scope, where the operator requires one', async () => {
    const strict = await startTestApp({ beside: app, settings: { OAUTH_REQUIRE_SCOPE: 'true' } });
    const visit = await new HttpBrowser().get(authorizeUrl({ ...flow, app: strict }, challenge, { scope: undefined }));
    expect(new URL(visit.location ?? '').searchParams.get('error')).toBe('invalid_scope');
    expect(await recorded(visit)).toMatchObject([{ reason: 'scope_missing' }]);
    await strict.close();
  });
});

describe('[A7 9207.1] a request that is no good query', () => {
  it.each([
    ['[P1] scope twice', 'scope=notes:read', 'scope must not be sent more than once'],
    ['[P1] the challenge twice', 'code_challenge=x', 'code_challenge must not be sent more than once'],
    ['[P1] the second one empty', 'response_type=', 'response_type must not be sent more than once'],
    ['[P1] the second one encoded', '%73cope=notes:read', 'scope must not be sent more than once'],
    ['[P1] something of no use here, twice', 'ui=1&ui=2', 'ui must not be sent more than once'],
    ['[P1] markup, twice', '%3Cb%3E=1&%3Cb%3E=2', 'a parameter must not be sent more than once'],
  ])('goes back to the client: %s', async (_, bytes, description) => {
    await expectRedirect(await askAndAppend(bytes), ['invalid_request', description, 'parameter_repeated']);
  });

  it('[8707.1 P1] goes back to the client: two resources', async () => {
    const second = await aResource(app);
    await expectRedirect(await askAndAppend(`resource=${encodeURIComponent(second.uri)}`), [
      'invalid_target',
      'one resource per token',
      'resource_repeated',
    ]);
  });

  it.each([
    ['[P5] NUL', 'ui=%00', 'ui is malformed'],
    ['[P5] a line break', 'ui=%0d%0a', 'ui is malformed'],
    ['[P5] a broken escape', 'ui=%zz', 'ui is malformed'],
    ['[P5] half an escape', 'ui=%4', 'ui is malformed'],
    ['[P5] broken UTF-8', 'ui=%c3%28', 'ui is malformed'],
    ['[P5] overlong UTF-8', 'ui=%c0%af', 'ui is malformed'],
    ['[P5] half a surrogate pair', 'ui=%ed%a0%80', 'ui is malformed'],
    ['[P5] NUL in a name', 'u%00i=1', 'a parameter name is malformed'],
    ['[P6] over four KiB', `ui=${'x'.repeat(4097)}`, 'ui is malformed'],
    [
      '[P6] over sixty-four parameters',
      Array.from({ length: 65 }, (_, n) => `p${n}=1`).join('&'),
      'the parameter list is malformed',
    ],
  ])('goes back to the client: %s', async (_, bytes, description) => {
    await expectRedirect(await askAndAppend(bytes), ['invalid_request', description, 'parameter_malformed']);
  });

  it('[P6] is 414 when the URL is over sixteen KiB', async () => {
    const { status, location, html, response } = await askAndAppend(`ui=${'x'.repeat(16 * 1024)}`);
    expect([status, location]).toEqual([414, undefined]);
    expect(html).toContain('The URL is too long.</');
    expect(html).toContain(response.headers.get('x-request-id') ?? 'no id');
  });

  it('is no request when it is posted, or asked at another spelling of the path', async () => {
    const form = new URL(authorizeUrl(flow, challenge)).searchParams;
    const posted = await new HttpBrowser().post(`${app.url}/oauth/authorize`, Object.fromEntries(form));
    expect([posted.status, posted.location]).toEqual([404, undefined]);
    for (const path of ['/oauth//authorize', '/oauth%2Fauthorize', '/oauth/authorize%00', '/oauth/authorize/x']) {
      const visit = await new HttpBrowser().get(`${app.url}${path}?${form}`);
      expect([path, visit.status, visit.location]).toEqual([path, 404, undefined]);
    }
  });
});

describe('what goes back to the client', () => {
  const location = async (parameters: Parameters, client?: ClientFixture): Promise<string> =>
    (await ask({ response_type: 'token', ...parameters }, client)).response.headers.get('location') ?? '';

  it('[A7] is the state as it was sent, and no state when there was none', async () => {
    for (const state of ['a b+c', '&error=x&code=y', '#', '"\'<>', 'é…𝄞', '%00', 'x'.repeat(4096)])
      expect(new URL(await location({ state })).searchParams.getAll('state')).toEqual([state]);
    for (const state of ['', undefined])
      expect(new URL(await location({ state })).searchParams.has('state')).toBe(false);
  });

  it('is appended to the registered bytes, also where they have a query', async () => {
    const redirect = 'https://client.example/cb?tenant=a%2Fb&x';
    const client = await aClient(app, { redirect_uris: [redirect] });
    expect(await location({}, client)).toMatch(/^https:\/\/client\.example\/cb\?tenant=a%2Fb&x&error=unsupported/);
  });

  it('goes to the one registered URI when the request names none', async () => {
    expect(await location({ redirect_uri: undefined })).toMatch(/^https:\/\/client\.example\/callback\?error=/);
  });

  it('goes to whichever port of the loopback address the client listens on', async () => {
    const client = await aClient(app, { redirect_uris: ['http://127.0.0.1/callback'] });
    const redirectUri = 'http://127.0.0.1:51004/callback';
    expect(await location({}, { ...client, redirectUri })).toContain(`${redirectUri}?error=`);
  });

  it('[B22] may be read by no page of another origin', async () => {
    const { response } = await new HttpBrowser().get(authorizeUrl(flow, challenge), { origin: 'https://evil.example' });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});
