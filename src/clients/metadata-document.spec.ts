import { describe, expect, it } from 'vitest';
import { DocumentWrong, documentUrlProblem, hostIsListed, readMetadataDocument } from './metadata-document.js';

const ID = 'https://app.example/oauth/client.json';
const DOCUMENT = { client_id: ID, client_name: 'Desk', redirect_uris: ['http://127.0.0.1/callback'] };

const problemOf = (id: string, requireHttps = true) => documentUrlProblem(id, { requireHttps });

describe('a URL as client id', () => {
  it.each([
    ID,
    'https://app.example:8443/client',
    'https://app.example:443/client',
    'https://App.Example/client',
    'https://app.example/client/',
    'https://app.example//client',
    'https://app.example/client?v=2',
    'https://app.example/%7Ejo/client',
    'https://xn--bcher-kva.example/client',
    'https://192.0.2.1/client',
    'https://[2001:db8::1]/client',
  ])('[M1] may be %s', (id) => {
    expect(problemOf(id)).toBeUndefined();
  });

  it.each([
    ['http', 'http://app.example/client'],
    ['an upper-case scheme', 'HTTPS://app.example/client'],
    ['another scheme', 'ftp://app.example/client'],
    ['no path', 'https://app.example'],
    ['a bare slash', 'https://app.example/'],
    ['slashes only', 'https://app.example///'],
    ['no path but a query', 'https://app.example?x=/client'],
    ['userinfo', 'https://user@app.example/client'],
    ['empty userinfo', 'https://@app.example/client'],
    ['a fragment', 'https://app.example/client#x'],
    ['an empty fragment', 'https://app.example/client#'],
    ['a dot segment', 'https://app.example/a/../client'],
    ['a single dot', 'https://app.example/./client'],
    ['a dot segment at the end', 'https://app.example/client/..'],
    ['an encoded dot segment', 'https://app.example/a/%2e%2E/client'],
    ['no host', 'https:///client'],
    ['a port but no host', 'https://:443/client'],
    ['a port that is none', 'https://app.example:99999/client'],
    ['an empty port', 'https://app.example:/client'],
    ['a backslash', 'https://app.example\\client'],
    ['a backslash in front of another host', 'https://evil.example\\@app.example/client'],
    ['a tab', 'https://app.example/cl\tient'],
    ['a blank', ' https://app.example/client'],
    ['a NUL', 'https://app.example/client\0'],
    ['letters beyond ASCII', 'https://bücher.example/client'],
    ['an encoded host', 'https://%61pp.example/client'],
    ['a decimal address', 'https://2130706433/client'],
    ['an octal address', 'https://0177.0.0.1/client'],
    ['a short address', 'https://127.1/client'],
    ['a hexadecimal address', 'https://0x7f000001/client'],
    ['another spelling of an IPv6 address', 'https://[0:0:0:0:0:0:0:1]/client'],
    ['a trailing dot', 'https://app.example./client'],
    ['an empty label', 'https://app..example/client'],
    ['a quote that a parser escapes', 'https://app.example/cl"ient'],
    ['too many characters', `https://app.example/${'x'.repeat(1024)}`],
  ])('[M1 P7] may not have %s', (_, id) => {
    expect(problemOf(id)).toMatch(/^the (URL|host|path) /);
  });

  it('may be http in development', () => {
    expect(problemOf('http://localhost:3000/client', false)).toBeUndefined();
  });
});

describe('a list of hosts', () => {
  it('[A23] means its hosts and everything below them, by whole labels', () => {
    const listed = (host: string) => hostIsListed(`https://${host}/client`, ['Example.com', '*.tools.example']);
    expect(['example.com', 'a.example.com', 'EXAMPLE.com', 'tools.example', 'x.tools.example'].map(listed)).toEqual(
      Array.from({ length: 5 }, () => true),
    );
    expect(['badexample.com', 'example.com.evil.example', 'com'].map(listed)).toEqual([false, false, false]);
  });
});

const answer = (body: string | object = DOCUMENT, change: { status?: number; type?: string } = {}) => ({
  status: change.status ?? 200,
  headers: { 'content-type': change.type ?? 'application/json' },
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});

function wrongWith(...given: Parameters<typeof answer>): string {
  try {
    readMetadataDocument(ID, answer(...given), []);
  } catch (error) {
    if (error instanceof DocumentWrong) return error.problem;
    throw error;
  }
  throw new Error('the document was accepted');
}

describe('a metadata document', () => {
  it('[A17 D9] says who the client is; members for others are passed over', () => {
    const document = {
      ...DOCUMENT,
      client_uri: 'https://app.example',
      scope: 'admin',
      dpop_bound_access_tokens: true,
      jwks: { keys: [{ kty: 'EC', x: 'x', y: 'y' }] },
    };
    expect(readMetadataDocument(ID, answer(document), [])).toEqual({
      name: 'Desk',
      redirectUris: ['http://127.0.0.1/callback'],
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      tokenEndpointAuthMethod: 'none',
      applicationType: 'native',
      agent: false,
      agentDescription: '',
      dpopBoundAccessTokens: true,
    });
  });

  it.each(['application/json; charset=utf-8', 'application/vnd.client+json', 'Application/JSON'])(
    '[M7] may come as %s',
    (type) => {
      expect(readMetadataDocument(ID, answer(DOCUMENT, { type }), []).name).toBe('Desk');
    },
  );

  it.each(['text/html', 'text/json', 'application/jsonp', 'application/x-json', ''])(
    '[M7] may not come as %j',
    (type) => {
      expect(wrongWith(DOCUMENT, { type })).toContain('content type');
    },
  );

  it.each([201, 203, 204, 206, 301, 302, 404, 410])('[M3 M4] is not what comes with status %i', (status) => {
    expect(wrongWith(DOCUMENT, { status })).toBe(`the host answered ${status}, not 200`);
  });

  it.each([
    ['a slash more', `${ID}/`],
    ['the default port', ID.replace('app.example', 'app.example:443')],
    ['another case', ID.replace('app', 'App')],
    ['another scheme', ID.replace('https', 'http')],
    ['a fragment', `${ID}#`],
    ['an escape', ID.replace('oauth', '%6fauth')],
  ])('[M2 M5] names its own URL byte for byte: not with %s', (_, client_id) => {
    expect(wrongWith({ ...DOCUMENT, client_id })).toContain('byte for byte');
  });

  it('[M5] names its URL as text', () => {
    expect(wrongWith({ ...DOCUMENT, client_id: [ID] })).toContain('byte for byte');
    expect(wrongWith({ ...DOCUMENT, client_id: undefined })).toContain('byte for byte');
  });

  it('[P2] has no member twice, not even in disguise', () => {
    const twice = JSON.stringify(DOCUMENT).replace('{', '{"redirect_uris":["https://evil.example/"],');
    expect(wrongWith(twice)).toContain('redirect_uris must not be sent more than once');
    expect(wrongWith(twice.replace('redirect', '\\u0072edirect'))).toContain('more than once');
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '<html>'],
    ['a list', [DOCUMENT]],
    ['null', 'null'],
    ['a byte order mark', `\ufeff${JSON.stringify(DOCUMENT)}`],
  ])('is refused when it is %s', (_, body) => {
    expect(wrongWith(body)).toMatch(/JSON|body/);
  });

  it('is refused when it is not UTF-8', () => {
    const body = Buffer.from(JSON.stringify(DOCUMENT).replace('Desk', 'D\u00e9sk'), 'latin1');
    expect(() => readMetadataDocument(ID, { ...answer(), body }, [])).toThrow(/UTF-8/);
  });

  it.each([
    ['client_secret', { client_secret: 's' }],
    ['client_secret_expires_at', { client_secret_expires_at: 0 }],
    ['a null client_secret', { client_secret: null }],
    ['a private key', { jwks: { keys: [{ kty: 'EC', d: 'x' }] } }],
    ['a private RSA key behind a good one', { jwks: { keys: [{ kty: 'EC' }, { kty: 'RSA', n: 'n', p: 'p' }] } }],
    ['a symmetric key', { jwks: { keys: [{ kty: 'oct' }] } }],
    ['a key that is none', { jwks: { keys: ['x'] } }],
    ['a key set that is none', { jwks: 'x' }],
    ['a key set elsewhere without https', { jwks_uri: 'http://app.example/jwks' }],
    ['a secret method', { token_endpoint_auth_method: 'client_secret_post' }],
    ['a method not supported yet', { token_endpoint_auth_method: 'private_key_jwt' }],
    ['a redirect that runs code', { redirect_uris: ['javascript:alert(1)'] }],
    ['a page that runs code', { client_uri: 'javascript:alert(1)' }],
    ['no name', { client_name: undefined }],
  ])('[M6 M10 A17] is refused with %s', (_, change) => {
    expect(wrongWith({ ...DOCUMENT, ...change })).toMatch(/must|needs|scheme|jwks|required/);
  });
});
