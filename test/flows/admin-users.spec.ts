import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  allow,
  aResource,
  audited,
  authorizeUrl,
  aUser,
  introspect,
  pkce,
  redeem,
  refresh,
  signIn,
  tokensOf,
  type UserFixture,
} from '../builders.js';
import { HttpBrowser } from '../http-browser.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.close());

const password = 'a long enough password';
const nobody = '00000000-0000-7000-8000-000000000000';

/** @returns whether the login page takes the password */
async function canSignIn(user: Pick<UserFixture, 'email' | 'password'>): Promise<boolean> {
  const browser = new HttpBrowser();
  const page = await browser.get(`${app.url}/login`);
  const answer = await browser.post(`${app.url}/login`, {
    ...page.form('password'),
    email: user.email,
    password: user.password,
  });
  return answer.status === 303;
}

describe('an operator creates a user', () => {
  it('and gets every member back, the address in lower case and the password nowhere', async () => {
    const { status, body } = await app.admin('POST', '/admin/users', {
      email: 'Grace@People.example',
      name: 'Grace',
      password,
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      email: 'grace@people.example',
      name: 'Grace',
      role: 'user',
      status: 'active',
      provider: 'local',
      created_at: expect.stringMatching(/Z$/),
    });
    expect((await app.admin('GET', `/admin/users/${body.id}`)).body).toEqual(body);
    expect(await canSignIn({ email: body.email, password })).toBe(true);
    expect(JSON.stringify(await app.sql('select * from users where id = $1', [body.id]))).not.toContain(password);
    const facts = await audited(app, 'user.created');
    expect(facts).toContainEqual(expect.objectContaining({ detail: { user: body.id } }));
    expect(JSON.stringify(facts)).not.toContain('grace@');
  });

  it.each<[what: string, draft: Record<string, unknown>, said: RegExp]>([
    ['without a password', { email: 'a@b.example' }, /password/],
    ['with a password of 11 characters', { email: 'a@b.example', password: 'eleven char' }, /password/i],
    ['with a password of 1,025 characters', { email: 'a@b.example', password: 'x'.repeat(1025) }, /password/],
    ['without an address', { password }, /email/],
    ['with another role', { email: 'a@b.example', password, role: 'root' }, /role/],
    ['with a name of 201 characters', { email: 'a@b.example', password, name: 'x'.repeat(201) }, /name/],
  ])('is refused %s', async (_, draft, said) => {
    const { status, body } = await app.admin('POST', '/admin/users', draft);
    expect(status).toBe(400);
    expect(body.detail).toMatch(said);
  });

  it('is refused an address that is taken, in whatever case, without hearing whose it is', async () => {
    const { id, email } = await aUser(app);
    const { status, body } = await app.admin('POST', '/admin/users', { email: email.toUpperCase(), password });
    expect([status, body.code]).toEqual([409, 'user_exists']);
    expect(JSON.stringify(body)).not.toContain(id);
  });
});

describe('an operator reads users', () => {
  it('in pages', async () => {
    await Promise.all([aUser(app), aUser(app), aUser(app)]);
    const all = (await app.admin('GET', '/admin/users')).body.users.map(({ id }: UserFixture) => id);
    const first = await app.admin('GET', '/admin/users?limit=2');
    const second = await app.admin('GET', `/admin/users?limit=2&cursor=${first.body.next_cursor}`);
    const skipped = await app.admin('GET', '/admin/users?limit=1&offset=3');
    expect([...first.body.users, ...second.body.users].map(({ id }) => id)).toEqual(all.slice(0, 4));
    expect(skipped.body.users[0].id).toBe(all[3]);
  });

  it.each(['', '/tokens', '/grants'])('and an unknown one is not found at /{id}%s', async (path) => {
    expect((await app.admin('GET', `/admin/users/${nobody}${path}`)).body.code).toBe('user_not_found');
  });
});

describe('an operator changes a user', () => {
  it('and what is not named stays', async () => {
    const { id, email } = await aUser(app);
    expect((await app.admin('PATCH', `/admin/users/${id}`, { name: 'Lin' })).body).toMatchObject({
      name: 'Lin',
      email,
    });
    expect((await app.admin('PATCH', `/admin/users/${id}`, { email: 'lin@people.example' })).body).toMatchObject({
      name: 'Lin',
      email: 'lin@people.example',
    });
  });

  it('but not to an address that is taken, and not its role', async () => {
    const [one, other] = [await aUser(app), await aUser(app)];
    expect((await app.admin('PATCH', `/admin/users/${one.id}`, { email: other.email })).status).toBe(409);
    expect((await app.admin('PATCH', `/admin/users/${one.id}`, { role: 'admin' })).status).toBe(400);
    expect((await app.admin('PATCH', `/admin/users/${nobody}`, { name: 'x' })).status).toBe(404);
  });

  it('sets a password, after which only the new one signs in', async () => {
    const user = await aUser(app);
    const next = 'another long password';
    expect((await app.admin('PUT', `/admin/users/${user.id}/password`, { password: 'short' })).status).toBe(400);
    expect((await app.admin('PUT', `/admin/users/${user.id}/password`, { password: next })).status).toBe(204);
    expect(await canSignIn(user)).toBe(false);
    expect(await canSignIn({ email: user.email, password: next })).toBe(true);
    expect((await app.admin('PUT', `/admin/users/${nobody}/password`, { password: next })).status).toBe(404);
  });
});

describe('an operator takes a user away', () => {
  it('by disabling: no sign-in, no refresh, tokens inactive; enabling brings the account back', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const at = `/admin/users/${flow.user.id}`;
    expect(await app.admin('PATCH', `${at}/disable`)).toEqual({ status: 200, body: { status: 'disabled' } });
    expect(await canSignIn(flow.user)).toBe(false);
    expect(await introspect(app, tokens.access_token, flow.client)).toEqual({ active: false });
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_grant');
    expect(await app.admin('PATCH', `${at}/enable`)).toEqual({ status: 200, body: { status: 'active' } });
    expect(await canSignIn(flow.user)).toBe(true);
    for (const verb of ['disable', 'enable']) {
      expect((await app.admin('PATCH', `/admin/users/${nobody}/${verb}`)).status).toBe(404);
    }
  });

  it('by forcing a logout: it counts the families, kills their tokens and ends the browser sessions', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const browser = new HttpBrowser();
    const { tokens } = await tokensOf(flow, {}, browser);
    const at = `/admin/users/${flow.user.id}/tokens`;
    expect((await app.admin('GET', at)).body.tokens).toEqual([
      expect.objectContaining({ client_id: flow.client.id, user_id: flow.user.id, resource_id: flow.resource.id }),
    ]);
    expect(await app.admin('DELETE', at)).toEqual({ status: 200, body: { revoked: 1 } });
    expect(await introspect(app, tokens.access_token, flow.client)).toEqual({ active: false });
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_grant');
    expect((await browser.get(`${app.url}/account`)).location ?? '').toContain('/login');
    expect((await app.admin('DELETE', at)).body).toEqual({ revoked: 0 });
    expect(await audited(app, 'user.force_logout')).toContainEqual(
      expect.objectContaining({ detail: { user: flow.user.id, revoked: 1 } }),
    );
  });

  it('by deleting, but not by mistake while there are active tokens', async () => {
    const flow = await aFlow(app);
    const { tokens } = await tokensOf(flow);
    const at = `/admin/users/${flow.user.id}`;
    const refused = await app.admin('DELETE', at);
    expect([refused.status, refused.body.code]).toEqual([409, 'user_has_active_tokens']);
    expect((await app.admin('DELETE', `${at}?force=true`)).status).toBe(204);
    expect((await app.admin('GET', at)).status).toBe(404);
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_grant');
    expect((await app.admin('DELETE', at)).status).toBe(404);
  });

  it('by deleting, but not by mistake while there is an access token that nothing refreshes', async () => {
    const flow = await aFlow(app, { grant_types: ['authorization_code'] });
    await tokensOf(flow);
    const at = `/admin/users/${flow.user.id}`;
    const refused = await app.admin('DELETE', at);
    expect([refused.status, refused.body.code]).toEqual([409, 'user_has_active_tokens']);
    await app.admin('DELETE', `${at}/tokens`);
    expect((await app.admin('DELETE', at)).status).toBe(204);
  });
});

describe('an operator reads and withdraws what a user allowed', () => {
  it('with its whole history; the tokens that stood on it are dead, and so is a code that was not redeemed yet', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const browser = new HttpBrowser();
    const { tokens } = await tokensOf(flow, {}, browser);
    const at = `/admin/users/${flow.user.id}/grants`;
    const { body } = await app.admin('GET', at);
    expect(body).toEqual({
      consent_grants: [
        {
          id: expect.any(String),
          user_id: flow.user.id,
          client_id: flow.client.id,
          resource_id: flow.resource.id,
          scopes: ['notes:read', 'notes:write'],
          created_at: expect.any(String),
          updated_at: expect.any(String),
        },
      ],
      broker_grants: [],
    });
    const { verifier, challenge } = pkce();
    const code = (await allow(flow, challenge, {}, browser)).searchParams.get('code')!;

    const consent = (await app.admin('GET', at)).body.consent_grants[0].id;
    expect((await app.admin('DELETE', `/admin/grants/consent/${consent}`)).status).toBe(204);
    expect(await introspect(app, tokens.access_token, flow.client)).toEqual({ active: false });
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_grant');
    expect((await redeem({ ...flow, code, verifier })).body.error).toBe('invalid_grant');
    const after = (await app.admin('GET', at)).body.consent_grants;
    expect(
      after.every((grant: { revoked_at?: string; superseded_at?: string }) => grant.revoked_at ?? grant.superseded_at),
    ).toBe(true);
    expect((await app.admin('DELETE', `/admin/grants/consent/${nobody}`)).body.code).toBe('consent_not_found');
  });
});

describe('signing a person out everywhere', () => {
  it('reaches tokens without a refresh token beside them, and codes on their way', async () => {
    const server = await aConfidentialClient(app);
    const resource = await aResource(app, { policy: { runtime: { client_ids: [server.id] } } });
    const flow = { ...(await aFlow(app, { grant_types: ['authorization_code'] })), resource };
    const { tokens } = await tokensOf(flow);
    const granted = await aGrantedCode(flow);
    expect((await app.admin('DELETE', `/admin/users/${flow.user.id}/tokens`)).body).toEqual({ revoked: 2 });
    expect(await introspect(app, tokens.access_token, server)).toEqual({ active: false });
    const refused = await redeem(granted);
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
    const denied = await audited(app, 'token.issue_denied');
    expect(denied.find(({ client_id }) => client_id === flow.client.id)).toMatchObject({ reason: 'signed_out' });
  });

  it('reaches codes that are being made at that moment', async () => {
    const flow = await aFlow(app);
    const late: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      const browser = new HttpBrowser();
      const { verifier, challenge } = pkce();
      // Where the decision was earlier than the end it is remembered, and would not be asked for again.
      const url = authorizeUrl(flow, challenge, { prompt: 'consent' });
      const login = await browser.follow(await browser.get(url), app.url);
      const page = await browser.follow(await signIn(browser, login, flow.user), app.url);
      const consent = browser.post(`${app.url}/consent`, { ...page.form('decision'), decision: 'allow' });
      const logout = await app.admin('DELETE', `/admin/users/${flow.user.id}/tokens`);
      expect(logout.status).toBe(200);
      const code = new URL((await consent).location ?? 'http://none').searchParams.get('code');
      if (code) late.push((await redeem({ ...flow, code, verifier })).status);
    }
    expect(late.filter((status) => status === 200)).toEqual([]);
  });
});
