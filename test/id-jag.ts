import { createRemoteJWKSet, jwtVerify, type JWTVerifyResult } from 'jose';
import { startTestApp, type SettableClock, type TestApp } from './app.js';
import { aResource, aUser, postForm, type ClientFixture, type TokenResponse } from './builders.js';
import { anAgent, EXCHANGE, started, type Started } from './exchanges.js';
import { created } from './idp.js';

export const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';
export const REFRESH_TOKEN = 'urn:ietf:params:oauth:token-type:refresh_token';
export const AUDIENCE = 'https://as.partner.example';
export const THERE = 'https://notes.partner.example/mcp';

export const startIssuingApp = (
  settings: Record<string, string> = {},
  beside?: TestApp,
  clock?: SettableClock,
): Promise<TestApp> =>
  startTestApp({ settings: { XAA_ISSUING_ENABLED: 'true', RATE_LIMIT_ENABLED: 'false', ...settings }, beside, clock });

/** A person has signed in to a client, which an operator lets have assertions for another authorization server. */
export interface Issuing extends Started {
  readonly refreshToken: string;
  readonly audience: any;
}

export async function anIssuing(
  app: TestApp,
  drafts: { client?: ClientFixture; audience?: Record<string, unknown> } = {},
): Promise<Issuing> {
  const client = drafts.client ?? (await anAgent(app));
  const [user, resource] = await Promise.all([aUser(app), aResource(app)]);
  const at = await started(app, { client, user, resource });
  const audience = await created(app, '/admin/xaa/audiences', {
    audience: AUDIENCE,
    client_id: client.id,
    audience_client_id: 'agent-there',
    resources: [THERE],
    scopes: ['notes:read', 'notes:write'],
    ...drafts.audience,
  });
  return { ...at, refreshToken: at.tokens.refresh_token, audience };
}

export const formOf = (
  { refreshToken }: Pick<Issuing, 'refreshToken'>,
  more: Record<string, string> = {},
): Record<string, string> => ({
  grant_type: EXCHANGE,
  requested_token_type: ID_JAG,
  subject_token: refreshToken,
  subject_token_type: REFRESH_TOKEN,
  audience: AUDIENCE,
  ...more,
});

/** Asks for an assertion. */
export const askForIdJag = (
  at: Pick<Issuing, 'app' | 'client' | 'refreshToken'>,
  more: Record<string, string> = {},
): Promise<TokenResponse> => postForm(at.app, '/oauth/token', formOf(at, more), at.client);

/** As the other authorization server would. */
export const verified = (app: TestApp, assertion: string, audience = AUDIENCE): Promise<JWTVerifyResult> =>
  jwtVerify(assertion, createRemoteJWKSet(new URL(`${app.issuer}/.well-known/jwks.json`)), {
    issuer: app.issuer,
    audience,
    typ: 'oauth-id-jag+jwt',
    currentDate: app.clock.now(),
  });
