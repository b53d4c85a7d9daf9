import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, refresh, tokensOf } from '../builders.js';
import { SEALING } from '../federating.js';
import { HttpBrowser } from '../http-browser.js';
import { Idp } from '../idp/idp.js';
import { freePort } from '../free-port.js';

let idp: Idp;
let app: TestApp;

beforeAll(async () => {
  const [port, company] = [await freePort(), await Idp.start()];
  const issuer = `http://localhost:${port}`;
  idp = company;
  const { clientId, clientSecret } = await idp.register([`${issuer}/oidc/callback`], {
    grant_types: ['authorization_code', 'refresh_token'],
    backchannel_logout_uri: `${issuer}/oidc/backchannel-logout`,
    backchannel_logout_session_required: true,
  });
  const settings = {
    ...SEALING,
    SERVER_ISSUER: issuer,
    SERVER_ADDRESS: `127.0.0.1:${port}`,
    OIDC_ENABLED: 'true',
    OIDC_ISSUER: idp.origin,
    OIDC_CLIENT_ID: clientId,
    OIDC_CLIENT_SECRET: clientSecret,
    OIDC_DISPLAY_NAME: 'The Company',
    OIDC_HOSTED_DOMAINS: 'corp.example',
    OIDC_GROUPS_CLAIM: 'tid',
    OIDC_RECHECK: '15m',
    OIDC_AUTHORIZATION_PARAMETERS: '{"access_type":"offline"}',
    OIDC_LOGOUT_REVOKES_TOKENS: 'true',
  };
  app = { ...(await startTestApp({ settings })), issuer, url: issuer };
});

afterAll(async () => {
  await app.close();
  await idp.stop();
});

describe('a provider configured by environment alone', () => {
  it('works from the button on: sign-in, tokens, back channel, and another look after a while', async () => {
    const browser = new HttpBrowser();
    const page = await browser.get(`${app.issuer}/login`);
    expect(page.html).toContain('Continue with The Company');
    const begun = await browser.get(`${app.issuer}/oidc/start`);
    expect(new URL(begun.location ?? '').searchParams.get('access_type')).toBe('offline');
    const back = await idp.signIn(browser, begun, 'ada');
    expect((await browser.get(back.location ?? '')).location).toBe(`${app.issuer}/account`);
    const [standing] = await app.sql('select provider, groups from identities');
    expect(standing).toEqual({ provider: 'default', groups: ['tenant-1'] });

    const flow = await aFlow(app);
    const { tokens } = await tokensOf(flow, {}, browser);
    const leaving = await browser.get(`${idp.origin}/session/end`);
    await browser.post(`${idp.origin}/session/end/confirm`, { ...leaving.form('xsrf'), logout: 'yes' });
    expect((await browser.get(`${app.issuer}/account`)).location).toBe(`${app.issuer}/login`);
    expect((await refresh(flow, tokens.refresh_token)).status).toBe(400);

    await browser.get((await idp.signIn(browser, await browser.get(`${app.issuer}/oidc/start`), 'ada')).location ?? '');
    const { tokens: later } = await tokensOf(flow, {}, browser);
    app.clock.advance(15 * 60);
    const before = (await idp.requests()).refresh;
    expect((await refresh(flow, later.refresh_token)).status).toBe(200);
    expect((await idp.requests()).refresh).toBe(before + 1);
  });
});
