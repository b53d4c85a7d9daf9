import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aConfidentialClient, basicOf, type ClientFixture } from '../builders.js';

/** The usual spelling is answered in front of the router, every other one behind it: nobody may be able to tell. */
const USUAL = '/oauth/token';
const OTHERS = ['/oauth/token?', '/oauth/token?of=no-interest'];

let app: TestApp;
let client: ClientFixture;
beforeAll(async () => {
  app = await startTestApp({ settings: { CLIENT_CREDENTIALS_ENABLED: 'true' } });
  client = await aConfidentialClient(app, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'notes' });
});
afterAll(() => app.close());

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

interface Seen {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** What the audit says of it, but for what differs from request to request. */
  readonly events: readonly unknown[];
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

async function send(path: string, { method = 'POST', headers = FORM, body = '' }: Sent): Promise<Seen> {
  const { port } = new URL(app.url);
  const answer = await new Promise<Omit<Seen, 'events'>>((resolve, reject) => {
    const sending = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sending.once('error', reject).end(body);
  });
  const { 'x-request-id': requestId, date: _, 'content-length': length, ...kept } = answer.headers;
  expect(Number(length ?? 0)).toBe(Buffer.byteLength(answer.body));
  const events = await app.sql(
    `select action, reason, client_id, ip, detail - 'jti' as detail from audit_events where request_id = $1 order by id`,
    [requestId],
  );
  const body_ = answer.body.replace(String(requestId), '(id)').replace(/"access_token":"[^"]+"/, '"access_token":"…"');
  return { status: answer.status, headers: kept, body: body_, events };
}

const GRANT = 'grant_type=client_credentials';
const requests: Record<string, () => Sent> = {
  'a token': () => ({ headers: { ...FORM, ...basicOf(client) }, body: GRANT }),
  'a wrong secret': () => ({ headers: { ...FORM, ...basicOf({ ...client, secret: 'wrong' }) }, body: GRANT }),
  'no credentials': () => ({ body: GRANT }),
  'no grant type': () => ({ headers: { ...FORM, ...basicOf(client) } }),
  'an unknown grant': () => ({ headers: { ...FORM, ...basicOf(client) }, body: 'grant_type=magic' }),
  'a refused refresh': () => ({ headers: { ...FORM, ...basicOf(client) }, body: 'grant_type=refresh_token' }),
  'another scope': () => ({ headers: { ...FORM, ...basicOf(client) }, body: `${GRANT}&scope=files` }),
  'a parameter twice': () => ({ headers: { ...FORM, ...basicOf(client) }, body: `${GRANT}&${GRANT}` }),
  JSON: () => ({ headers: { 'content-type': 'application/json' }, body: '{}' }),
  'no UTF-8': () => ({ body: Buffer.from([0xff, 0xfe]) }),
  'too much': () => ({ body: 'x'.repeat(64 * 1024 + 1) }),
  'a foreign host': () => ({ headers: { ...FORM, host: 'evil.example' }, body: GRANT }),
  GET: () => ({ method: 'GET', headers: {} }),
  'a preflight': () => ({ method: 'OPTIONS', headers: { origin: 'https://app.example' } }),
};

describe('POST /oauth/token', () => {
  it.each(Object.keys(requests))('answers %s alike in every spelling', async (name) => {
    const usual = await send(USUAL, requests[name]!());
    for (const path of OTHERS) expect(await send(path, requests[name]!()), path).toEqual(usual);
  });

  it('tells of a token and of a refusal what it should', async () => {
    const [token, refused] = [
      await send(USUAL, requests['a token']!()),
      await send(USUAL, requests['a wrong secret']!()),
    ];
    expect([token.status, token.headers['cache-control'], token.headers['pragma']]).toEqual([
      200,
      'no-store',
      'no-cache',
    ]);
    expect(token.events).toMatchObject([
      { action: 'client_credentials.issued', ip: expect.stringContaining('127.0.0.1') },
    ]);
    expect([refused.status, refused.headers['cache-control']]).toEqual([401, 'no-store']);
    expect(refused.events).toMatchObject([{ action: 'client_credentials.denied', reason: 'secret_mismatch' }]);
  });
});
