import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, audited, refresh, tokensOf, type Flow } from '../builders.js';
import { SEALING } from '../federating.js';
import { aSignInProvider, mapGroup, standsAt } from '../groups.js';

let app: TestApp;
let flow: Flow;
let provider: string;
let refreshToken: string;

beforeAll(async () => {
  app = await startTestApp({ settings: SEALING });
});
afterAll(() => app.close());
beforeEach(async () => {
  flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
  refreshToken = (await tokensOf(flow)).tokens.refresh_token;
  provider = await aSignInProvider(app, { recheck: '15m' });
  await standsAt(app, flow.user, provider, ['readers']);
});

const identityIs = (refusedAt: Date | null) =>
  app.sql('update identities set refused_at = $2 where user_id = $1', [flow.user.id, refusedAt]);
const path = (): string => `/admin/sign-in-providers/${provider}`;
const whyRefused = async (): Promise<unknown> => {
  expect((await refresh(flow, refreshToken)).status).toBe(400);
  return (await audited(app, 'token.refresh_denied'))[0]?.reason;
};

describe('somebody for whom their identity provider does not vouch any more', () => {
  it.each([
    ['is switched off', () => app.admin('PATCH', path(), { enabled: false })],
    ['is not to be asked again any more', () => app.admin('PATCH', path(), { recheck: 'off' })],
    ['is deleted', () => app.admin('DELETE', `${path()}?force=true`)],
  ])('stays refused when that provider %s, until they sign in again', async (_, change) => {
    await identityIs(app.clock.now());
    expect((await change()).status).toBeLessThan(300);
    expect(await whyRefused()).toBe('identity_refused');
    await identityIs(null);
    expect((await refresh(flow, refreshToken)).status).toBe(200);
  });

  it('gets no answer again that was given before', async () => {
    expect((await refresh(flow, refreshToken)).status).toBe(200);
    await identityIs(app.clock.now());
    expect(await whyRefused()).toBe('identity_refused');
  });

  it('and nobody else: a provider that is switched off is asked about people all the same', async () => {
    expect((await app.admin('PATCH', path(), { enabled: false })).status).toBe(200);
    app.clock.advance(16 * 60);
    expect(await whyRefused()).toBe('identity_unchecked');
  });
});

describe('an identity that is taken away', () => {
  const identity = () => ({ issuer: `https://login.${provider}.example`, subject: flow.user.id });
  const idp = async (): Promise<string> =>
    (
      await app.admin('POST', '/admin/idps', {
        name: provider,
        issuer: identity().issuer,
        jwks_uri: `${app.issuer}/.well-known/jwks.json`,
      })
    ).body.id;

  it.each([
    ['from the person', () => app.admin('DELETE', `/admin/users/${flow.user.id}/identities`, identity())],
    [
      'as a subject mapping',
      async () => {
        const { subject_mappings: mappings } = (
          await app.admin('GET', `/admin/xaa/subject-mappings?idp_id=${await idp()}`)
        ).body;
        return app.admin('DELETE', `/admin/xaa/subject-mappings/${mappings[0].id}`);
      },
    ],
  ])('%s frees nobody from what its groups gave: applications have to begin anew', async (_, takeAway) => {
    await mapGroup(app, provider, 'readers', flow.resource, 'notes:read');
    expect((await refresh(flow, refreshToken, { scope: 'notes:write' })).status).toBe(400);
    const epoch = async () => Number((await app.sql('select epoch from policy_epoch'))[0]?.['epoch']);
    const before = await epoch();
    expect((await takeAway()).status).toBe(204);
    // Whoever was about to issue something for this person decides again.
    expect(await epoch()).toBeGreaterThan(before);
    expect((await refresh(flow, refreshToken)).body.error).toBe('invalid_grant');
    expect(await app.sql(`select 1 from identities where user_id = $1`, [flow.user.id])).toEqual([]);
  });
});
