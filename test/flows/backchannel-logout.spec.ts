import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFlow, audited, introspect, refresh, tokensOf } from '../builders.js';
import { arrive, startFederation, type Federation } from '../federating.js';
import { HttpBrowser } from '../http-browser.js';

let at: Federation;

beforeAll(async () => {
  at = await startFederation({ provider: 'logout_revokes_tokens: true' });
});

afterAll(async () => {
  await at.close();
});

/** Signs out at the provider's own page, in the browser that is signed in there. */
async function signOutAt(slug: 'acme' | 'globex', browser: HttpBrowser): Promise<void> {
  const page = await browser.get(`${at[slug].origin}/session/end`);
  const fields = { ...page.form('xsrf'), logout: 'yes' };
  await browser.follow(await browser.post(`${at[slug].origin}/session/end/confirm`, fields), at[slug].origin);
}

async function aPerson(login: string, slug: 'acme' | 'globex') {
  const browser = new HttpBrowser();
  await at[slug].set({ people: { [login]: { email: `${login}@${slug}.example` } } });
  expect((await arrive(at, browser, login, slug)).status).toBe(303);
  const flow = await aFlow(at.app, { token_endpoint_auth_method: 'client_secret_basic' });
  return { browser, flow, granted: await tokensOf(flow, {}, browser) };
}

const isSignedIn = async (browser: HttpBrowser): Promise<boolean> =>
  (await browser.get(`${at.app.issuer}/account`)).status === 200;

describe('a sign-out at the identity provider', () => {
  it('ends the session here that began with it, by its back channel, and no other one', async () => {
    const { browser } = await aPerson('ada', 'globex');
    const elsewhere = new HttpBrowser();
    await arrive(at, elsewhere, 'ada', 'globex');
    await signOutAt('globex', browser);
    expect([await isSignedIn(browser), await isSignedIn(elsewhere)]).toEqual([false, true]);
    expect((await audited(at.app, 'user.backchannel_logout'))[0]?.detail).toEqual({ provider: 'globex', sessions: 1 });
  });

  it('leaves the tokens of applications alone', async () => {
    const { browser, flow, granted } = await aPerson('bob', 'globex');
    await signOutAt('globex', browser);
    expect((await refresh(flow, granted.tokens.refresh_token)).status).toBe(200);
  });

  it('ends them, too, where the operator says so', async () => {
    const { browser, flow, granted } = await aPerson('cleo', 'acme');
    const other = await aPerson('dan', 'acme');
    await signOutAt('acme', browser);
    const answer = await refresh(flow, granted.tokens.refresh_token);
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant']);
    expect(await introspect(at.app, granted.tokens.access_token, flow.client)).toEqual({ active: false });
    expect((await refresh(other.flow, other.granted.tokens.refresh_token)).status).toBe(200);
    expect((await audited(at.app, 'user.tokens_revoked'))[0]?.detail).toMatchObject({ revoked: 1 });
    const [revocation] = await at.app.sql(`select reason from revocations where kind = 'family'`);
    expect(revocation).toEqual({ reason: 'upstream_logout' });
  });
});
