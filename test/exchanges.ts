import { expect } from 'vitest';
import type { TestApp } from './app.js';
import { startTestApp } from './app.js';
import {
  aConfidentialClient,
  aResource,
  aUser,
  postForm,
  tokensOf,
  type ClientFixture,
  type Flow,
  type ResourceFixture,
  type TokenResponse,
  type UserFixture,
} from './builders.js';
import type { HttpBrowser } from './http-browser.js';

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

export const startExchangingApp = (settings: Record<string, string> = {}, yaml?: string): Promise<TestApp> =>
  startTestApp({
    yaml,
    settings: {
      TOKEN_EXCHANGE_ENABLED: 'true',
      CLIENT_CREDENTIALS_ENABLED: 'true',
      RATE_LIMIT_ENABLED: 'false',
      ...settings,
    },
  });

/** A confidential client with every grant that a link of a chain can need. */
export const anAgent = (app: TestApp, draft: Record<string, unknown> = {}): Promise<ClientFixture> =>
  aConfidentialClient(app, {
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', EXCHANGE],
    ...draft,
  });

/** Exchanges `token` as `acting`. */
export const exchange = (
  app: TestApp,
  acting: ClientFixture,
  token: string,
  more: Record<string, string> = {},
): Promise<TokenResponse> =>
  postForm(
    app,
    '/oauth/token',
    { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN, ...more },
    acting,
  );

export const claimsOf = (token: string): any => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

/** Asked, answered: what an exchange says, in short. */
export const outcome = ({ status, body }: TokenResponse): [number, string] => [status, body.error ?? body.scope];

export interface Started extends Flow {
  token: string;
  tokens: any;
}

/** A person has allowed a client to use a resource, and it has its token. */
export async function started(
  app: TestApp,
  given: { client?: ClientFixture; user?: UserFixture; resource?: ResourceFixture; scope?: string } = {},
  browser?: HttpBrowser,
): Promise<Started> {
  const { client = await anAgent(app), user = await aUser(app), resource = await aResource(app), scope } = given;
  const flow = { app, client, user, resource };
  const { tokens } = await tokensOf(flow, scope === undefined ? {} : { scope }, browser);
  return { ...flow, token: tokens.access_token, tokens };
}

/** Puts clients into the policy of a resource. */
export async function letExchange(app: TestApp, resource: ResourceFixture, ...clients: ClientFixture[]): Promise<void> {
  for (const { id } of clients) {
    const path = `/admin/resources/${resource.slug}/policy/exchange/allowed-clients`;
    const { status, body } = await app.admin('POST', path, { client_id: id });
    if (status !== 200) throw new Error(JSON.stringify(body));
  }
}

export async function letActAs(app: TestApp, resource: ResourceFixture, ...clients: ClientFixture[]): Promise<void> {
  for (const { id } of clients) {
    const path = `/admin/resources/${resource.slug}/policy/runtime/client-ids`;
    const { status, body } = await app.admin('POST', path, { client_id: id });
    if (status !== 200) throw new Error(JSON.stringify(body));
  }
}

/** The person allows the first client the target, too. */
export const allowed = async (at: Started, resource: ResourceFixture, browser?: HttpBrowser): Promise<void> => {
  await tokensOf({ ...at, resource }, {}, browser);
};

export async function front(
  app: TestApp,
  source: ResourceFixture,
  target: ResourceFixture,
  map: Record<string, string[]>,
): Promise<void> {
  const link = { source: source.slug, target: target.slug, scope_map: map };
  const { status, body } = await app.admin('POST', '/admin/fronting', link);
  if (status !== 201) throw new Error(JSON.stringify(body));
}

/**
 * The answer, the private reason, and that nothing was issued.
 *
 * @returns the answer
 */
export async function expectRefused(
  app: TestApp,
  attack: () => Promise<TokenResponse>,
  [status, error, reason]: [status: number, error: string, reason: string],
  action = 'token.exchange_denied',
): Promise<TokenResponse> {
  const before = await issuances(app);
  const answer = await attack();
  expect(answer.body).not.toHaveProperty('access_token');
  const rows = await app.sql('select action, reason from audit_events where request_id = $1', [answer.body.request_id]);
  expect([answer.status, answer.body.error, rows]).toEqual([status, error, [{ action, reason }]]);
  expect(await issuances(app)).toBe(before);
  return answer;
}

/** How many tokens were ever issued. */
export const issuances = async (app: TestApp): Promise<number> =>
  (await app.sql<{ n: number }>('select count(*)::int as n from issuances'))[0]!.n;
