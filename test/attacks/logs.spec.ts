import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  authorizeUrl,
  introspect,
  pkce,
  postForm,
  redeem,
  refresh,
  signIn,
  tokensOf,
  type Flow,
} from '../builders.js';
import { HttpBrowser } from '../http-browser.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
});
afterAll(() => app.close());

/** What was handed out or typed in, and must not be found anywhere afterwards. */
const secrets = new Map<string, string>();

function keep(values: Record<string, string | undefined | null>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!value || value.length < 8) throw new Error(`${name} is no secret: ${value}`);
    secrets.set(name, value);
  }
}

function keepCookies(name: string, { cookies }: HttpBrowser): void {
  for (const [cookie, value] of cookies) keep({ [`${name}: ${cookie}`]: value });
}

/** Every secret that stands in the text, also in part or in another encoding. */
function found(text: string): string[] {
  return [...secrets].flatMap(([name, value]) => {
    const middle = value.length > 40 ? [value.slice(12, 36), value.slice(-24)] : [];
    const spellings = [value, encodeURIComponent(value), Buffer.from(value).toString('base64'), ...middle];
    return spellings.some((spelling) => text.includes(spelling)) ? [name] : [];
  });
}

async function expectNothingSaid(): Promise<void> {
  expect(found(app.logged.join('\n'))).toEqual([]);
  expect(found(JSON.stringify(await app.sql('select * from audit_events')))).toEqual([]);
}

const reasons = async (): Promise<(string | null)[]> =>
  (await app.sql<{ reason: string }>('select distinct reason from audit_events')).map(({ reason }) => reason);

describe('logs and audit hold no password, code, token, secret, cookie or e-mail address', () => {
  it('when everything goes well', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const browser = new HttpBrowser();
    const { code, verifier, tokens } = await tokensOf(flow, {}, browser);
    const refreshed = await refresh(flow, tokens.refresh_token);
    await introspect(app, refreshed.body.access_token, flow.client);
    await postForm(app, '/oauth/revoke', { token: refreshed.body.access_token }, flow.client);
    await postForm(app, '/oauth/revoke', { token: refreshed.body.refresh_token }, flow.client);
    const { body } = await app.admin('POST', `/admin/clients/${flow.client.id}/rotate-secret`, {});
    keep({ code, verifier, access: tokens.access_token, refresh: tokens.refresh_token });
    keep({ access2: refreshed.body.access_token, refresh2: refreshed.body.refresh_token });
    keep({ email: flow.user.email, password: flow.user.password, secret: flow.client.secret });
    keep({ 'new secret': body.client_secret, 'admin key': app.adminKey });
    keepCookies('happy browser', browser);
    await expectNothingSaid();
    const actions = await app.sql<{ action: string }>('select action from audit_events');
    expect(actions.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['user.login', 'consent.granted', 'token.issued', 'token.refreshed', 'token.revoked']),
    );
    expect(app.logged.join('\n')).toContain('/oauth/token');
  });

  it('when the browser is refused', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge)), app.issuer);
    const wrong = 'a password that is not hers';
    await signIn(browser, login, { ...flow.user, password: wrong });
    await signIn(browser, login, { ...flow.user, email: 'nobody-at-all@people.example' });
    const consent = await browser.follow(await signIn(browser, login, flow.user), app.issuer);
    const fields = consent.form('decision');
    await new HttpBrowser().get(consent.url);
    await browser.post(`${app.issuer}/consent`, { ...fields, csrf: `${fields['csrf']}x`, decision: 'allow' });
    await browser.post(`${app.issuer}/consent`, { ...fields, decision: 'allow' }, { origin: 'https://evil.example' });
    await browser.post(`${app.issuer}/consent`, { ...fields, request: `${fields['request']}x` });
    await browser.get(`${consent.url}&request=x`);
    await browser.post(`${app.issuer}/consent`, { ...fields, decision: 'deny' });
    const change = (await browser.get(`${app.issuer}/account`)).form('current');
    const again = 'a longer new password';
    await browser.post(`${app.issuer}/account/password`, { ...change, current: wrong, new: again, again });
    keep({ email3: flow.user.email, wrong, again, unknown: 'nobody-at-all@people.example' });
    keep({ csrf: fields['csrf'], request: fields['request'] });
    keepCookies('refused browser', browser);
    await expectNothingSaid();
    expect(await reasons()).toEqual(
      expect.arrayContaining(['invalid_credentials', 'flow_cookie_mismatch', 'csrf_mismatch', 'cross_site_post']),
    );
  });

  it('when the client is refused', async () => {
    const flow = await aFlow(app);
    const granted = await aGrantedCode(flow);
    const other: Flow = { ...flow, client: await aConfidentialClient(app) };
    const wrongVerifier = pkce().verifier;
    await redeem({ ...granted, verifier: wrongVerifier });
    await redeem({ ...granted, client: other.client });
    await redeem(granted, { redirect_uri: 'https://other.example/' });
    const { body } = await redeem(granted);
    await redeem(granted);
    await refresh(flow, body.refresh_token);
    const second = await tokensOf(flow);
    const turned = await refresh(flow, second.tokens.refresh_token);
    await refresh(other, turned.body.refresh_token);
    await refresh(flow, second.tokens.refresh_token);
    await refresh(flow, turned.body.refresh_token);
    await introspect(app, body.access_token, other.client);
    await introspect(app, turned.body.refresh_token, other.client);
    await postForm(app, '/oauth/revoke', { token: body.access_token }, other.client);
    await postForm(app, '/oauth/revoke', { token: turned.body.refresh_token }, other.client);
    await refresh({ ...other, client: { ...other.client, secret: 'a guessed secret' } }, 'none');
    keep({ 'granted code': granted.code, 'granted verifier': granted.verifier, wrongVerifier });
    keep({ access4: body.access_token, refresh4: body.refresh_token, refresh5: second.tokens.refresh_token });
    keep({ refresh6: turned.body.refresh_token, secret4: other.client.secret, guess: 'a guessed secret' });
    await expectNothingSaid();
    expect(await reasons()).toEqual(
      expect.arrayContaining([
        'verifier_mismatch',
        'code_of_another_client',
        'code_replayed_verified',
        'refresh_reused',
        'refresh_of_another_client',
        'secret_mismatch',
        'token_of_another_client',
      ]),
    );
  });

  it('when a token stands where it does not belong', async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    const { access_token: access, refresh_token: live } = tokens;
    keep({ access7: access, refresh7: live });
    await fetch(`${app.url}/oauth/token?grant_type=refresh_token&refresh_token=${live}`, { method: 'POST' });
    await fetch(`${app.url}/oauth/introspect?token=${access}`);
    await fetch(`${app.url}/oauth/userinfo?access_token=${access}`, { headers: { authorization: `Bearer ${access}` } });
    await fetch(`${app.url}/oauth/token`, { method: 'POST', headers: { authorization: `Bearer ${access}` } });
    await fetch(`${app.url}/oauth/token`, {
      method: 'POST',
      headers: { cookie: `a=${live}` },
      body: `{"t":"${live}"}`,
    });
    await fetch(`${app.url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"refresh_token":"${live}" broken`,
    });
    await new HttpBrowser().get(authorizeUrl(flow, pkce().challenge, { state: live, login_hint: flow.user.email }));
    await new HttpBrowser().get(`${app.issuer}/login?email=${flow.user.email}&password=${flow.user.password}`);
    for (const parameter of ['code', 'client_secret', 'token', 'subject_token'])
      await postForm(app, '/oauth/token', { grant_type: 'authorization_code', [parameter]: live }, flow.client);
    keep({ email7: flow.user.email });
    await expectNothingSaid();
  });

  it('when the operator makes a mistake', async () => {
    const { user } = await aFlow(app);
    const password = 'a password in a wrong place';
    await app.admin('POST', '/admin/users', { email: user.email, name: 'Twice', password });
    await app.admin('POST', '/admin/users', { email: user.email, name: 7, password, secret: password });
    await app.admin('PUT', `/admin/users/${user.id}/password`, { password: 'short', also: password });
    await app.admin('PUT', `/admin/users/${user.id}/password`, { password: 'short-123' });
    await fetch(`${app.adminUrl}/admin/users`, { headers: { authorization: 'Bearer a-wrong-admin-key' } });
    await fetch(`${app.adminUrl}/admin/users?api_key=${app.adminKey}`);
    keep({ email8: user.email, password, short: 'short-123', key: 'a-wrong-admin-key' });
    await expectNothingSaid();
  });
});

describe('the search for secrets', () => {
  it('finds one that is there, whole, in part, and encoded', () => {
    keep({ canary: 'canary/0123456789abcdefghijklmnopqrstuvwxyz-0123456789' });
    expect(found(`x ${secrets.get('canary')} y`)).toEqual(['canary']);
    expect(found(`x ${secrets.get('canary')?.slice(10, 40)} y`)).toEqual(['canary']);
    expect(found(`x ${encodeURIComponent(secrets.get('canary') ?? '')} y`)).toEqual(['canary']);
    expect(found('nothing')).toEqual([]);
  });
});
