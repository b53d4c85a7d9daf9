import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { audited, authorizeUrl, pkce, postForm, type Flow } from '../builders.js';
import { documentHost, documentsFromHere, type DocumentAnswer, type DocumentHost } from '../document-host.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
/** As in production: https and public addresses only. */
let strict: TestApp;
let host: DocumentHost;
beforeAll(async () => {
  host = await documentHost();
  app = await startTestApp({ settings: documentsFromHere });
  strict = await startTestApp();
});
afterAll(async () => {
  await app.close();
  await strict.close();
  await host.close();
});
beforeEach(() => {
  host.hits.length = 0;
});

const authorize = (id: string, at: TestApp = app): Promise<Visit> => {
  const client = { id, redirectUri: 'http://127.0.0.1/callback' };
  const resource = { id: '', slug: '', uri: 'https://notes.example/mcp' };
  const flow: Flow = { app: at, client, resource, user: { id: '', email: '', password: '' } };
  return new HttpBrowser().get(authorizeUrl(flow, pkce().challenge));
};

/** The page that an attempt ends on, and what the operator reads about it. */
async function refusalOf(id: string, at: TestApp = app) {
  const page = await authorize(id, at);
  const events = (await audited(at, 'authorize.denied')).filter((event) => event.client_id === id.slice(0, 300));
  return {
    status: page.status,
    location: page.location,
    reason: events[0]?.reason,
    problem: events[0]?.detail.problem,
    page,
  };
}

const REFUSED = { status: 400, location: undefined, reason: 'metadata_document_wrong' };
let documents = 0;
const aDocument = (answer: DocumentAnswer): string => host.put(`/attack-${++documents}`, answer);
const withMembers = (members: Record<string, unknown>): string => aDocument({ members });

describe('a document that lies', () => {
  it.each([
    ['with a slash more', (id: string) => `${id}/`],
    ['in another case', (id: string) => id.toUpperCase()],
    ['with a default port', (id: string) => id.replace(/:\d+/, ':80')],
    ['of somebody trusted', () => 'https://claude.ai/oauth/client.json'],
  ])('[M2 M5] names a client id %s', async (_, other) => {
    const id = withMembers({});
    host.put(new URL(id).pathname, { members: { client_id: other(id) } });
    const { problem, ...refused } = await refusalOf(id);
    expect(refused).toMatchObject(REFUSED);
    expect(problem).toContain('byte for byte');
  });

  it('[M4] redirects to a good document, or into the network: the target is never asked', async () => {
    const good = withMembers({});
    for (const location of [good, 'http://169.254.169.254/latest/meta-data/']) {
      const id = aDocument({ status: 302, headers: { location } });
      expect(await refusalOf(id)).toMatchObject({ ...REFUSED, problem: 'the host answered 302, not 200' });
    }
    expect(host.hits).not.toContain(new URL(good).pathname);
  });

  it('[M9] is longer than 5 KB, however it ends', async () => {
    const { problem, ...refused } = await refusalOf(withMembers({ software_statement: 'x'.repeat(5 * 1024) }));
    expect(refused).toMatchObject(REFUSED);
    expect(problem).toBe('not fetched: too_large');
  });

  it('[M9] never ends: the fetch does, and the person may try again', async () => {
    const hasty = await startTestApp({ beside: app, settings: { ...documentsFromHere, CIMD_FETCH_TIMEOUT: '1s' } });
    let open = () => {};
    const id = aDocument({ after: new Promise<void>((resolve) => (open = resolve)) });
    const { status, location } = await refusalOf(id, hasty);
    expect([status, location]).toEqual([503, undefined]);
    open();
    await hasty.close();
  });

  it.each([
    ['[P2] a member twice', { body: '{"client_id":"a","client_id":"b"}' }, 'client_id must not be sent more than once'],
    ['[M7] another media type', { headers: { 'content-type': 'text/html' } }, 'content type'],
    ['[M6] a secret', { members: { client_secret: 'x' } }, 'client_secret must not stand in a public document'],
    ['[M6] a symmetric method', { members: { token_endpoint_auth_method: 'client_secret_post' } }, 'must be none'],
    ['[M6] a private key', { members: { jwks: { keys: [{ kty: 'EC', d: 'x' }] } } }, 'private or symmetric key'],
    ['[M10] a redirect that runs code', { members: { redirect_uris: ['javascript:alert(1)'] } }, 'scheme javascript'],
    ['[M10] a page that runs code', { members: { client_uri: 'javascript:alert(1)' } }, 'client_uri must be'],
    ['[A17] no name', { members: { client_name: undefined } }, 'client_name is required'],
    ['[A17] no redirect', { members: { redirect_uris: [] } }, 'redirect_uris is required'],
    ['a compressed body', { headers: { 'content-encoding': 'gzip' } }, 'not fetched: encoding'],
  ] as [string, DocumentAnswer, string][])('has %s', async (_, answer, expected) => {
    const { problem, page, ...refused } = await refusalOf(aDocument(answer));
    expect(refused).toMatchObject(REFUSED);
    expect(problem).toContain(expected);
    expect(page.html).not.toContain(expected);
  });

  it('[A14] cannot choose where its refusal goes', async () => {
    const id = withMembers({ client_secret: 'x', redirect_uris: ['http://127.0.0.1/callback'] });
    const { page } = await refusalOf(id);
    expect(page.location).toBeUndefined();
    expect(page.html).not.toContain('127.0.0.1/callback');
  });
});

describe('a URL that is no client id', () => {
  it.each([
    ['[M1] a bare origin', 'https://app.example'],
    ['[M1] an origin with a slash', 'https://app.example/'],
    ['[M1] http', 'http://app.example/client'],
    ['[M1] userinfo', 'https://trusted.example@app.example/client'],
    ['[M1] a fragment', 'https://app.example/client#x'],
    ['[M1] dot segments', 'https://app.example/a/%2e%2e/client'],
    ['[P7] a backslash', 'https://app.example\\client'],
    ['[P7] letters beyond ASCII', 'https://äpp.example/client'],
    ['[M8] an address in decimal', 'https://2130706433/client'],
    ['[M8] an address in octal', 'https://0177.0.0.1/client'],
    ['[M8] a loopback address', 'https://127.0.0.1/client'],
    ['[M8] a private address', 'https://10.0.0.1/client'],
    ['[M8] the metadata service of a cloud', 'https://169.254.169.254/latest/meta-data'],
    ['[M8] an IPv4 address in IPv6', 'https://[::ffff:7f00:1]/client'],
    ['[M8] IPv6 loopback', 'https://[::1]/client'],
    ['[M8] localhost', 'https://localhost/client'],
    ['[M8] a name of this network', 'https://vault.internal/client'],
  ])('is refused with a page: %s', async (_, id) => {
    const { status, location, reason } = await refusalOf(id, strict);
    expect({ status, location, reason }).toEqual(REFUSED);
  });

  it('[M8] tells a stranger nothing about what is behind it', async () => {
    const open = await refusalOf(`https://127.0.0.1:${new URL(host.origin).port}/client`, strict);
    const closed = await refusalOf('https://127.0.0.1:1/client', strict);
    const text = ({ page }: typeof open) => page.html.replaceAll(/[0-9a-f-]{36}/g, '');
    expect(text(open)).toBe(text(closed));
    expect(host.hits).toEqual([]);
  });
});

describe('a flood', () => {
  it('[M11] of fifty requests with one failing URL asks its host once, and not again for half a minute', async () => {
    const id = aDocument({ status: 500 });
    const pages = await Promise.all(Array.from({ length: 50 }, () => authorize(id)));
    expect(pages.map(({ status }) => status)).toEqual(Array(50).fill(503));
    expect(host.hits).toHaveLength(1);
    app.clock.advance(29);
    await authorize(id);
    expect(host.hits).toHaveLength(1);
    app.clock.advance(1);
    await authorize(id);
    expect(host.hits).toHaveLength(2);
  });

  it('[M11] with a wrong document is answered from memory as well, and the document may be mended', async () => {
    const id = withMembers({ client_secret: 'x' });
    for (let n = 0; n < 3; n++) expect((await authorize(id)).status).toBe(400);
    expect(host.hits).toHaveLength(1);
    host.put(new URL(id).pathname, {});
    app.clock.advance(30);
    expect((await authorize(id)).location).toContain('error=invalid_target');
    expect(host.hits).toHaveLength(2);
  });

  it('[M11] of slow documents at the token endpoint holds no outgoing request: nothing is fetched, failures are counted', async () => {
    const ids = Array.from({ length: 20 }, () => aDocument({ after: new Promise(() => {}) }));
    const present = (id: string) =>
      postForm(app, '/oauth/token', { grant_type: 'refresh_token', refresh_token: 'x', client_id: id });
    const statuses = (await Promise.all(ids.map(present))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([...Array(10).fill(401), ...Array(10).fill(429)]);
    expect(host.hits).toEqual([]);
  });

  it('[M11] of documents from one address is slowed down before it is fetched', async () => {
    const own = await startTestApp({ beside: app, settings: documentsFromHere });
    const pages: Visit[] = [];
    for (let n = 0; n < 31; n++) pages.push(await authorize(withMembers({}), own));
    await own.close();
    expect(pages.map(({ status }) => status)).toEqual([...Array(30).fill(303), 429]);
    expect(pages.at(-1)?.location).toBeUndefined();
    expect(pages.at(-1)?.response.headers.get('retry-after')).not.toBeNull();
    expect(host.hits).toHaveLength(30);
  });

  it('leaves no row behind', async () => {
    expect(await app.sql('select id from clients')).toEqual([]);
  });
});
