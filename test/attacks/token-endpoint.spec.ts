import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aConfidentialClient, aFlow, redeem, aGrantedCode, type ClientFixture } from '../builders.js';
import { rawRequest, type RawAnswer } from '../raw-request.js';

const FORM = 'application/x-www-form-urlencoded';

let app: TestApp;
let client: ClientFixture;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
  client = await aConfidentialClient(app);
});
afterAll(() => app.close());

/** From a client that has authenticated, so that nothing but the form is wrong. */
const post = (path: string, body: string | Buffer, type = FORM, more = {}): Promise<RawAnswer> => {
  const authorization = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
  return send(path, body, { authorization, ...(type === '' ? {} : { 'content-type': type }), ...more });
};

async function send(path: string, body: string | Buffer, headers: Record<string, string>): Promise<RawAnswer> {
  if (typeof body === 'string') return rawRequest(app.url, path, { method: 'POST', headers, body });
  const response = await fetch(`${app.url}${path}`, { method: 'POST', headers, body: new Uint8Array(body) });
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.json() };
}

/** Everything that an error body has to be, whatever the error (W1-W3). */
async function expectError(answer: RawAnswer, status: number, error: string, description: string) {
  expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
    status,
    'application/json; charset=utf-8',
    'no-store',
  ]);
  const { body } = answer;
  expect(body).toEqual({
    error,
    error_description: description,
    error_uri: expect.stringContaining(`${app.issuer}/errors/${error}#`),
    request_id: answer.headers['x-request-id'],
  });
  expect(body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  const { hash, pathname } = new URL(body.error_uri);
  const page = await rawRequest(app.url, pathname);
  expect([page.status, page.body.includes(`id="${hash.slice(1)}"`)]).toEqual([200, true]);
}

async function expectRecorded({ headers }: RawAnswer, action: string, reason: string): Promise<void> {
  const rows = await app.sql('select action, reason from audit_events where request_id = $1', [
    headers['x-request-id'],
  ]);
  expect(rows).toEqual([{ action, reason }]);
}

describe.each([
  { path: '/oauth/token', name: 'grant_type', action: 'token.issue_denied' },
  { path: '/oauth/revoke', name: 'token', action: 'token.revoke_denied' },
  { path: '/oauth/introspect', name: 'token', action: 'token.introspect_denied' },
])('$path', ({ path, name, action }) => {
  const refuses = async (body: string | Buffer, description: string, reason: string): Promise<void> => {
    const answer = await post(path, body);
    await expectError(answer, 400, 'invalid_request', description);
    await expectRecorded(answer, action, reason);
  };

  it.each([
    ['', ''],
    ['with an encoded name', '%'],
  ])('[P1] refuses a parameter that comes twice %s', async (_, encoded) => {
    const again = encoded === '' ? name : `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
    for (const second of ['x', 'y', ''])
      await refuses(`${name}=x&${again}=${second}`, `${name} must not be sent more than once`, 'parameter_repeated');
  });

  it('[P1] refuses a parameter that it does not know, when it comes twice', async () => {
    await refuses(`${name}=x&ui=1&ui=2`, 'ui must not be sent more than once', 'parameter_repeated');
  });

  it.each(['', '='])('[P4] takes an empty parameter (%j) for an absent one', async (empty) => {
    await refuses(`${name}${empty}`, `${name} is required`, 'parameter_missing');
    await refuses('', `${name} is required`, 'parameter_missing');
  });

  it.each([
    ['NUL', '%00'],
    ['a line break', 'a%0d%0ab'],
    ['a raw NUL', '\0'],
    ['a broken escape', '%zz'],
    ['half an escape', 'a%2'],
    ['overlong UTF-8', '%c0%80'],
    ['broken UTF-8', '%ff'],
    ['half a surrogate pair', '%ed%a0%80'],
  ])('[P5] refuses %s', async (_, value) => {
    await refuses(`${name}=${value}`, `${name} is malformed`, 'parameter_malformed');
    await refuses(`${name}=x&a${value}=1`, 'a parameter name is malformed', 'parameter_malformed');
  });

  it('[P5] refuses bytes that are no UTF-8', async () => {
    const body = Buffer.concat([Buffer.from(`${name}=`), Buffer.from([0xff, 0xfe])]);
    await refuses(body, 'the body must be valid UTF-8', 'body_malformed');
  });

  it('[P6] refuses values, names and lists that are too long', async () => {
    const many = Array.from({ length: 65 }, (_, n) => `p${n}=1`).join('&');
    await refuses(`${name}=x&scope=${'x'.repeat(4097)}`, 'scope is malformed', 'parameter_malformed');
    await refuses(`token=${'x'.repeat(16 * 1024 + 1)}`, 'token is malformed', 'parameter_malformed');
    await refuses(`${'x'.repeat(4097)}=1`, 'a parameter name is malformed', 'parameter_malformed');
    await refuses(many, 'the parameter list is malformed', 'parameter_malformed');
  });

  it('[P6] refuses a body over 64 KiB, with its length or without', async () => {
    const body = `${name}=x&ui=${'x'.repeat(64 * 1024)}`;
    await expectError(await post(path, body), 413, 'invalid_request', 'the body is too long');
    const chunked = await post(path, body, FORM, { 'transfer-encoding': 'chunked' });
    await expectError(chunked, 413, 'invalid_request', 'the body is too long');
  });

  it.each(['', 'text/plain', 'application/json', 'multipart/form-data; boundary=x', `${FORM}2`, `x, ${FORM}`])(
    '[P3] refuses the content type %j',
    async (type) => {
      const answer = await post(path, `${name}=x`, type);
      await expectError(answer, 415, 'invalid_request', `the body must be ${FORM}`);
      await expectRecorded(answer, action, 'media_type_unsupported');
    },
  );

  it('[P3] takes the content type in any case and with parameters', async () => {
    const answer = await post(path, `${name}=`, 'Application/X-WWW-Form-URLEncoded ; charset=UTF-8');
    await expectError(answer, 400, 'invalid_request', `${name} is required`);
  });

  it('refuses a JSON body and a compressed one', async () => {
    const json = JSON.stringify({ [name]: 'x' });
    await expectError(await post(path, json, 'application/json'), 415, 'invalid_request', `the body must be ${FORM}`);
    await refuses(json, `${name} is required`, 'parameter_missing');
    const compressed = await post(path, gzipSync(`${name}=x`), FORM, { 'content-encoding': 'gzip' });
    await expectError(compressed, 400, 'invalid_request', 'the body must be valid UTF-8');
  });

  it('reads nothing from the query', async () => {
    const answer = await post(`${path}?${name}=secret-in-the-query&client_id=other`, '');
    await expectError(answer, 400, 'invalid_request', `${name} is required`);
    expect(app.logged.join('\n')).not.toContain('secret-in-the-query');
  });

  it('refuses two ways of authenticating', async () => {
    const answer = await post(path, `${name}=x&client_id=${client.id}&client_secret=${client.secret}`);
    await expectError(answer, 400, 'invalid_request', 'use one client authentication method only');
    await expectRecorded(answer, action, 'two_methods');
  });

  it('is POST only', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const answer = await rawRequest(app.url, `${path}?${name}=x`, { method });
      await expectError(answer, 405, 'invalid_request', 'only POST is allowed here');
      expect(answer.headers['allow']).toBe('POST');
    }
    const head = await fetch(`${app.url}${path}`, { method: 'HEAD' });
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('is the same with a slash at the end and in any case, and nothing at other spellings', async () => {
    for (const spelling of [`${path}/`, path.toUpperCase(), `${path}?`])
      await expectError(await post(spelling, ''), 400, 'invalid_request', `${name} is required`);
    for (const spelling of [
      path.replace('/oauth/', '/oauth//'),
      path.replace('/oauth/', '/oauth%2f'),
      path.replace('/oauth/', '/oauth/%2e/'),
      path.replace('/oauth/', '/oauth/x/../'),
      path.replace('/oauth/', '/oauth\\'),
      `/${path}`,
      `${path}//`,
      `${path}%00`,
      `${path}%2f`,
      `${path};x=1`,
      `${path}.json`,
      path.replace('o', '%6f'),
      path.replace('oauth', 'oauth%ff'),
    ]) {
      expect([spelling, (await post(spelling, `${name}=x`)).status]).toEqual([spelling, 404]);
    }
  });
});

describe('the grant type', () => {
  const form = (grant: string): string =>
    new URLSearchParams({ grant_type: grant, refresh_token: 'x', code: 'x' }).toString();

  it.each([
    ['client_credentials', 'client_credentials', 'client_credentials.enabled', 'client_credentials.denied'],
    [
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'token-exchange',
      'token_exchange.enabled',
      'token.exchange_denied',
    ],
    ['urn:ietf:params:oauth:grant-type:jwt-bearer', 'jwt-bearer', 'xaa.enabled', 'jwt_bearer.denied'],
  ])('%s is off, and the refusal names the setting', async (grant, name, setting, action) => {
    const answer = await post('/oauth/token', form(grant));
    const text = `grant_type ${name} is not enabled on this server (${setting})`;
    await expectError(answer, 400, 'unsupported_grant_type', text);
    await expectRecorded(answer, action, 'grant_disabled');
  });

  it.each([
    'password',
    'implicit',
    'Authorization_Code',
    'authorization_code ',
    'authorization_code refresh_token',
    'urn:ietf:params:oauth:grant-type:saml2-bearer',
    '__proto__',
    'constructor',
    '"><script>',
  ])('[A1 B13] %s does not exist here', async (grant) => {
    const answer = await post('/oauth/token', form(grant));
    await expectError(answer, 400, 'unsupported_grant_type', 'grant_type is not supported');
    await expectRecorded(answer, 'token.issue_denied', 'grant_unknown');
  });

  it.each([
    ['refresh_token', ['authorization_code'], 'token.refresh_denied'],
    ['authorization_code', ['client_credentials'], 'token.issue_denied'],
  ])('%s is not for a client that is registered for %s', async (grant, grant_types, action) => {
    client = await aConfidentialClient(app, { grant_types });
    const answer = await post('/oauth/token', form(grant));
    const description = `this client is not registered for grant_type ${grant}`;
    await expectError(answer, 400, 'unauthorized_client', description);
    await expectRecorded(answer, action, 'grant_not_registered');
    client = await aConfidentialClient(app);
  });

  it('[B18] may be taken from a client while a code is on its way, which is then worth nothing', async () => {
    const granted = await aGrantedCode(await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' }));
    await app.admin('PATCH', `/admin/clients/${granted.client.id}`, { grant_types: ['client_credentials'] });
    const { status, body } = await redeem(granted);
    expect([status, body.error]).toEqual([400, 'unauthorized_client']);
    expect(await app.sql('select * from families where client_id = $1', [granted.client.id])).toEqual([]);
  });
});

describe('an error description', () => {
  it.each([
    ['a parameter name', '/oauth/token', FORM, '%22%5c=1&%22%5c=2'],
    ['a parameter name with markup', '/oauth/token', FORM, '%3Cb%3E=1&%3Cb%3E=2'],
    ['a parameter name beyond ASCII', '/oauth/token', FORM, '%c3%a9=1&%c3%a9=2'],
    ['a long parameter name', '/oauth/token', FORM, `${'n'.repeat(4000)}=1&${'n'.repeat(4000)}=2`],
    ['a grant type', '/oauth/token', FORM, 'grant_type=%22%5c%c3%a9'],
    ['a scope', '/oauth/token', FORM, 'grant_type=refresh_token&refresh_token=x&scope=%22%5c'],
    ['a JSON member', '/oauth/register', 'application/json', '{"\\"\\n\\u00e9":1,"\\"\\n\\u00e9":2}'],
    ['a redirect URI', '/oauth/register', 'application/json', '{"redirect_uris":["\\"\\\\\\n:\u00e9"]}'],
    ['a redirect scheme', '/oauth/register', 'application/json', `{"redirect_uris":["${'s'.repeat(1000)}://x/"]}`],
    ['a member of the metadata', '/oauth/register', 'application/json', '{"client_name":"\\u0000\\""}'],
  ])('carries nothing out that was smuggled in by %s', async (_, path, type, body) => {
    const answer = await post(path, body, type);
    const { error, error_description: description } = answer.body;
    expect(answer.status).toBe(400);
    expect(description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,300}$/);
    expect(JSON.stringify(answer.body)).not.toMatch(/<b>|\u00e9|nnnnn|\\/);
    await expectError(answer, 400, error, description);
  });
});

describe('/oauth/register', () => {
  const register = (body: string | Buffer, type = 'application/json'): Promise<RawAnswer> =>
    send('/oauth/register', body, { 'content-type': type });
  const member = (name: string, value: unknown): string =>
    JSON.stringify({ redirect_uris: ['https://a.example/'], [name]: value });

  it.each([
    ['a member twice', '{"client_name":"a","client_name":"b"}', 'client_name must not be sent more than once'],
    [
      '[P2] one of them escaped',
      '{"client_name":"a","client\\u005fname":"b"}',
      'client_name must not be sent more than once',
    ],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'the body must be valid UTF-8'],
    ['a byte order mark', '\ufeff{}', 'the body must be valid JSON'],
    ['deep nesting', `{"x":${'['.repeat(40)}${']'.repeat(40)}}`, 'the body must be JSON nested at most 32 deep'],
    ['a prototype', '{"__proto__":{"client_name":"x"}}', 'the body must be JSON without a member __proto__'],
    ['a form', 'redirect_uris=https://a.example/', 'the body must be valid JSON'],
    ['a string', '"x"', 'the body must be a JSON object'],
    ['null', 'null', 'the body must be a JSON object'],
  ])('[P2 P5] refuses %s', async (_, body, description) => {
    const answer = await register(body);
    await expectError(answer, 400, 'invalid_request', description);
  });

  it.each([
    ['NUL', 'client_name', 'a\0b'],
    ['a line break', 'client_name', 'a\nb'],
    ['half a surrogate pair', 'client_name', '\ud800'],
    ['a mark that turns the text around', 'client_name', 'a\u202eb'],
    ['an invisible character', 'client_name', 'a\u200bb'],
    ['201 characters', 'client_name', 'x'.repeat(201)],
    ['a number', 'client_name', 7],
    ['a script for a logo', 'logo_uri', 'javascript:alert(1)'],
  ])('[P5 P6 7591.2] refuses metadata with %s', async (_, name, value) => {
    const answer = await register(member(name, value));
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_client_metadata']);
    await expectRecorded(answer, 'client.registration_denied', 'metadata_invalid');
  });

  it('[P6] refuses a body over 64 KiB', async () => {
    const answer = await register(member('x', 'x'.repeat(64 * 1024)));
    await expectError(answer, 413, 'invalid_request', 'the body is too long');
  });

  it.each(['', FORM, 'text/json', 'application/json5'])('refuses the content type %j', async (type) => {
    const answer = await send('/oauth/register', '{}', type === '' ? {} : { 'content-type': type });
    await expectError(answer, 415, 'invalid_request', 'the body must be application/json');
  });

  it('is POST only', async () => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await rawRequest(app.url, '/oauth/register', { method });
      await expectError(answer, 405, 'invalid_request', 'only POST is allowed here');
      expect(answer.headers['allow']).toBe('POST');
    }
  });
});

describe('a sender that hangs up in the middle of a body', () => {
  it('is no fault of ours: nothing is logged about it, and the next one is answered', async () => {
    const { hostname, port, host } = new URL(app.url);
    const before = app.logged.length;
    await new Promise<void>((resolve) => {
      const head = `POST /oauth/token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${FORM}\r\nContent-Length: 100\r\n\r\n`;
      const socket = connect(Number(port), hostname, () =>
        socket.write(`${head}grant_type=`, () => socket.resetAndDestroy()),
      );
      socket.once('close', () => resolve());
    });
    for (let n = 0; n < 5; n += 1) expect((await post('/oauth/token', '')).status).toBe(400);
    expect(app.logged.slice(before).filter((line) => !line.includes('"message":"request"'))).toEqual([]);
  });
});

describe('a browser of another origin', () => {
  it.each(['/oauth/token', '/oauth/revoke', '/oauth/register'])('may call %s, without credentials', async (path) => {
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' };
    const preflight = await rawRequest(app.url, path, { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(204);
    const refused = await rawRequest(app.url, path, { method: 'POST', headers });
    for (const answer of [preflight, refused]) {
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
    }
  });

  it('may not call introspection', async () => {
    const answer = await rawRequest(app.url, '/oauth/introspect', {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example' },
    });
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([405, undefined]);
  });
});

describe('introspection', () => {
  it('[7662.1] is refused to a public client, which cannot prove who asks', async () => {
    const { id } = await aClient(app);
    const body = `client_id=${id}&token=x`;
    const answer = await send('/oauth/introspect', body, { 'content-type': FORM });
    await expectError(answer, 401, 'invalid_client', 'client authentication failed');
    await expectRecorded(answer, 'token.introspect_denied', 'credentials_missing');
  });
});
