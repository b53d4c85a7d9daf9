import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aResource,
  aResourceOfSomebody,
  authorizeUrl,
  pkce,
  type ClientFixture,
  type Flow,
} from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';
import { recorded } from '../recorded.js';
import { encryptionAtRest } from '../upstream/builders.js';

let app: TestApp;
let flow: Flow;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false', ...encryptionAtRest } });
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
  expect(await recorded(app, visit.response)).toMatchObject([{ action: 'authorize.denied', reason, client_id: id }]);
}

describe('[A7 9207.1] a request that is wrong otherwise', () => {
  it.each([
    ['the implicit grant', 'token'],
    ['a hybrid', 'code token'],
    ['response type none', 'none'],
    ['another case of code', 'Code'],
    ['no response type', undefined],
    ['an empty one', ''],
  ])('[A1 B8 P4] goes back to the client: %s', async (_, response_type) => {
    const told = ['unsupported_response_type', 'response_type must be code', 'response_type_unsupported'] as const;
    await expectRedirect(await ask({ response_type }), told);
  });

  it.each<[string, Parameters, string]>([
    ['no challenge', { code_challenge: undefined }, 'challenge_missing'],
    ['an empty challenge', { code_challenge: '' }, 'challenge_missing'],
    ['the plain method', { code_challenge_method: 'plain' }, 'challenge_method_unsupported'],
    ['no method, which would mean plain', { code_challenge_method: undefined }, 'challenge_method_unsupported'],
    ['another case of S256', { code_challenge_method: 's256' }, 'challenge_method_unsupported'],
    ['a challenge that is too short', { code_challenge: challenge.slice(1) }, 'challenge_malformed'],
    ['a challenge with padding', { code_challenge: `${challenge}=` }, 'challenge_malformed'],
    ['a challenge with other characters', { code_challenge: `${challenge.slice(2)}+/` }, 'challenge_malformed'],
  ])('[B5 B6 P4] goes back to the client: %s', async (_, change, reason) => {
    const description = 'code_challenge is required, with code_challenge_method S256';
    await expectRedirect(await ask(change), ['invalid_request', description, reason]);
  });

  it.each(['none', 'login none'])('goes back to the client: prompt=%s', async (prompt) => {
    const told = ['invalid_request', 'prompt=none is not supported', 'prompt_unsupported'] as const;
    await expectRedirect(await ask({ prompt }), told);
  });

  it.each([
    ['a quote', 'notes:read "'],
    ['a backslash', 'notes:\\read'],
    ['a letter beyond ASCII', 'notes:l\u00e9s'],
    ['over a hundred entries', Array.from({ length: 101 }, (_, n) => `s${n}`).join(' ')],
  ])('[P6] goes back to the client: a scope with %s', async (_, scope) => {
    await expectRedirect(await ask({ scope }), ['invalid_request', 'scope is malformed', 'parameter_malformed']);
  });

  it.each(['https://unknown.example/mcp', 'notes', '/mcp', 'urn:notes'])(
    '[8707.1] goes back to the client: the resource %s, which nobody registered',
    async (resource) => {
      const told = ['invalid_target', 'resource is not registered', 'resource_unknown'] as const;
      await expectRedirect(await ask({ resource }), told);
    },
  );

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

  it('[P6] goes back to the client with a description of bounded length, however long the scope', async () => {
    const { searchParams } = new URL((await ask({ scope: 'x'.repeat(4000) })).location ?? '');
    expect(searchParams.get('error_description')).toBe(`scope ${'x'.repeat(494)}`);
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
    ['a letter too few', (uri: string) => uri.replace('/mcp', '/mc')],
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
    await aResourceOfSomebody(app, { uri });
    await expectRedirect(await ask({ resource: uri }), [
      'invalid_target',
      'tokens for this resource come from token exchange alone',
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
    const strict = await startTestApp({ beside: app, settings: { OAUTH_REQUIRE_SCOPE: 'true', ...encryptionAtRest } });
    const visit = await new HttpBrowser().get(authorizeUrl({ ...flow, app: strict }, challenge, { scope: undefined }));
    expect(new URL(visit.location ?? '').searchParams.get('error')).toBe('invalid_scope');
    expect(await recorded(app, visit.response)).toMatchObject([{ reason: 'scope_missing' }]);
    await strict.close();
  });
});

describe('[A7 9207.1 P1 P5 P6] a request that is no good query', () => {
  it.each([
    ['scope twice', 'scope=notes:read', 'scope must not be sent more than once'],
    ['the challenge twice', 'code_challenge=x', 'code_challenge must not be sent more than once'],
    ['the second one empty', 'response_type=', 'response_type must not be sent more than once'],
    ['the second one encoded', '%73cope=notes:read', 'scope must not be sent more than once'],
    ['something of no use here, twice', 'ui=1&ui=2', 'ui must not be sent more than once'],
    ['markup, twice', '%3Cb%3E=1&%3Cb%3E=2', 'a parameter must not be sent more than once'],
  ])('goes back to the client: %s', async (_, bytes, description) => {
    await expectRedirect(await askAndAppend(bytes), ['invalid_request', description, 'parameter_repeated']);
  });

  it('[8707.1] goes back to the client: two resources', async () => {
    const second = await aResource(app);
    await expectRedirect(await askAndAppend(`resource=${encodeURIComponent(second.uri)}`), [
      'invalid_target',
      'one resource per token',
      'resource_repeated',
    ]);
  });

  it.each([
    ['NUL', 'ui=%00', 'ui is malformed'],
    ['a line break', 'ui=%0d%0a', 'ui is malformed'],
    ['a broken escape', 'ui=%zz', 'ui is malformed'],
    ['half an escape', 'ui=%4', 'ui is malformed'],
    ['broken UTF-8', 'ui=%c3%28', 'ui is malformed'],
    ['overlong UTF-8', 'ui=%c0%af', 'ui is malformed'],
    ['half a surrogate pair', 'ui=%ed%a0%80', 'ui is malformed'],
    ['NUL in a name', 'u%00i=1', 'a parameter name is malformed'],
    ['over four KiB', `ui=${'x'.repeat(4097)}`, 'ui is malformed'],
    [
      'over sixty-four parameters',
      Array.from({ length: 65 }, (_, n) => `p${n}=1`).join('&'),
      'the parameter list is malformed',
    ],
  ])('goes back to the client: %s', async (_, bytes, description) => {
    await expectRedirect(await askAndAppend(bytes), ['invalid_request', description, 'parameter_malformed']);
  });

  it('is 414 when the URL is over sixteen KiB', async () => {
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
