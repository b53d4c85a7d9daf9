import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded, type EmbeddedPostgres } from '../../src/platform/postgres/embedded-postgres.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  authorizeUrl,
  pkce,
  postForm,
  refresh,
  tokensOf,
  type ClientFixture,
  type GrantedCode,
} from '../builders.js';
import { HttpBrowser } from '../http-browser.js';
import { temporaryDirectory } from '../postgres.js';

const data = temporaryDirectory();
const open = (): Promise<EmbeddedPostgres> => startEmbedded({ path: `${data.path}/postgres`, log: () => undefined });

let database: EmbeddedPostgres;
let app: TestApp;
let granted: GrantedCode & { tokens: any };
let caller: ClientFixture;

beforeAll(async () => {
  database = await open();
  await migrate(database.connection, new Date());
  app = await startTestApp({ connection: database.connection, settings: { RATE_LIMIT_ENABLED: 'false' } });
  // Confidential: where the outcome of a refresh is unknown, the same refresh again gets its answer.
  granted = await tokensOf(await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' }));
  caller = await aConfidentialClient(app);
});
afterAll(async () => {
  await app.close();
  await database.stop();
  data.remove();
});

describe('while the database is away', () => {
  it('[K5] answers requests under load with 503, and works again by itself when it is back', async () => {
    const { tokens } = granted;
    let live = tokens.refresh_token as string;
    const seen: string[] = [];
    let stopped = false;
    const load = (async () => {
      while (!stopped) {
        const { status, body } = await refresh(granted, live);
        seen.push(`${status}${status === 200 ? '' : ` ${body.error}`}`);
        if (status === 200) live = body.refresh_token;
      }
    })();
    while (seen.length < 20) await new Promise(setImmediate);
    await database.stop();
    const answered = seen.length;
    while (seen.length < answered + 5) await new Promise(setImmediate);

    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/jwks.json',
      `/.well-known/oauth-protected-resource/${granted.resource.slug}`,
      '/errors/invalid_grant',
      '/livez',
    ]) {
      expect((await fetch(app.issuer + path)).status, path).toBe(200);
    }
    expect(await (await fetch(`${app.issuer}/ready`)).json()).toMatchObject({ status: 'down', database: 'down' });
    const refused = {
      introspection: await postForm(app, '/oauth/introspect', { token: tokens.access_token }, caller),
      revocation: await postForm(app, '/oauth/revoke', { token: live }, granted.client),
    };
    for (const [what, { status, headers, body }] of Object.entries(refused)) {
      expect([status, body.error, headers.get('retry-after')], what).toEqual([503, 'temporarily_unavailable', '2']);
    }
    const page = await new HttpBrowser().get(authorizeUrl(granted, pkce().challenge));
    expect([page.status, page.location]).toEqual([503, undefined]);

    database = await open();
    const before = seen.length;
    while (!seen.slice(before).includes('200')) await new Promise(setImmediate);
    stopped = true;
    await load;
    expect(new Set(seen)).toEqual(new Set(['200', '503 temporarily_unavailable']));
    expect((await refresh(granted, live)).status).toBe(200);
  });
});
