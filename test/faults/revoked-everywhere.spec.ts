import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  authorizeUrl,
  introspect,
  pkce,
  postForm,
  refresh,
  tokensOf,
  type ClientFixture,
  type Flow,
} from '../builders.js';
import { ACCESS_TOKEN, EXCHANGE } from '../exchanges.js';
import { HttpBrowser } from '../http-browser.js';

const settings = {
  TOKEN_EXCHANGE_ENABLED: 'true',
  TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true',
  RATE_LIMIT_ENABLED: 'false',
};

let one: TestApp;
let two: TestApp;
let three: TestApp;
let onlooker: ClientFixture;
// Their clocks stand: nothing that they remember grows old.
beforeAll(async () => {
  one = await startTestApp({ settings });
  two = await startTestApp({ beside: one, settings });
  three = await startTestApp({ beside: one, settings });
  onlooker = await aConfidentialClient(one);
});
afterAll(async () => {
  await three.close();
  await two.close();
  await one.close();
});

/** A person's grant that every replica has served just now. */
interface Warm extends Flow {
  access: string;
  live: string;
  browser: HttpBrowser;
  kid: string;
}

async function warm(): Promise<Warm> {
  const grant_types = ['authorization_code', 'refresh_token', EXCHANGE];
  const flow = await aFlow(one, { token_endpoint_auth_method: 'client_secret_basic', grant_types });
  await one.admin('POST', `/admin/resources/${flow.resource.slug}/policy/runtime/client-ids`, {
    client_id: onlooker.id,
  });
  const browser = new HttpBrowser();
  const { tokens } = await tokensOf(flow, {}, browser);
  const granted = { ...flow, access: tokens.access_token, live: tokens.refresh_token as string, browser };
  for (const app of [one, two, three]) {
    expect(await answersOf(app, granted)).toEqual({ introspection: true, exchange: 200, page: 'known' });
    const { status, body } = await refresh({ ...flow, app }, granted.live);
    expect(status).toBe(200);
    granted.live = body.refresh_token;
  }
  const [header = ''] = granted.access.split('.');
  return { ...granted, kid: JSON.parse(Buffer.from(header, 'base64url').toString()).kid };
}

/** What a replica says of the access token, and whether it knows the browser. */
async function answersOf(app: TestApp, { access, browser, ...flow }: Omit<Warm, 'kid'>) {
  const form = { grant_type: EXCHANGE, subject_token: access, subject_token_type: ACCESS_TOKEN };
  const [{ active }, exchanged, page] = await Promise.all([
    introspect(app, access, onlooker),
    postForm(app, '/oauth/token', form, flow.client),
    browser.get(authorizeUrl({ ...flow, app }, pkce().challenge)),
  ]);
  const known = page.location?.includes('/login') ? 'unknown' : 'known';
  return { introspection: active as boolean, exchange: exchanged.status, page: known };
}

const OVER = { introspection: false, page: 'known' };

describe('what one of three replicas was told is true on the others at the next request', () => {
  it.each<[string, (of: Warm) => Promise<unknown>, Record<string, unknown>, number | undefined]>([
    [
      'an access token that was revoked',
      ({ access, client }) => postForm(one, '/oauth/revoke', { token: access }, client),
      { ...OVER, exchange: 400 },
      200,
    ],
    [
      'a family that was revoked',
      ({ live, client }) => postForm(one, '/oauth/revoke', { token: live }, client),
      { ...OVER, exchange: 400 },
      400,
    ],
    [
      'a consent that was withdrawn',
      async ({ user }) => {
        const { body } = await one.admin('GET', `/admin/users/${user.id}/grants`);
        await one.admin('DELETE', `/admin/grants/consent/${body.consent_grants[0].id}`);
      },
      { ...OVER, exchange: 400 },
      400,
    ],
    [
      'a client that was suspended',
      ({ client }) => one.admin('PATCH', `/admin/clients/${client.id}/suspend`),
      { ...OVER, exchange: 401 },
      401,
    ],
    [
      'a person who was disabled',
      ({ user }) => one.admin('PATCH', `/admin/users/${user.id}/disable`),
      { introspection: false, exchange: 400, page: 'unknown' },
      400,
    ],
    [
      'a policy that no longer lets somebody look',
      ({ resource }) =>
        one.admin('DELETE', `/admin/resources/${resource.slug}/policy/runtime/client-ids/${onlooker.id}`),
      { ...OVER, exchange: 200 },
      200,
    ],
    [
      'a session that ended',
      ({ user }) => one.admin('PUT', `/admin/users/${user.id}/password`, { password: 'another horse battery' }),
      { introspection: true, exchange: 200, page: 'unknown' },
      200,
    ],
    ['a key that was revoked', ({ kid }) => one.admin('DELETE', `/admin/keys/${kid}`), { ...OVER, exchange: 400 }, 200],
  ])('%s', async (what, tell, answers, refreshed) => {
    const granted = await warm();
    await tell(granted);
    const seen = await Promise.all([two, three].map((app) => answersOf(app, granted)));
    expect(seen).toEqual([answers, answers]);
    for (const app of [two, three]) {
      // A key that was revoked may sign there for five seconds more: what it signs is over from the beginning.
      if (what.startsWith('a key')) app.clock.advance(5);
      const { status, body } = await refresh({ ...granted, app }, granted.live);
      expect(status).toBe(refreshed);
      if (status !== 200) continue;
      granted.live = body.refresh_token;
      // What is issued after it was told is as good as ever.
      expect((await introspect(app, body.access_token, granted.client)).active).toBe(true);
    }
  });
});
