import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  audited,
  aUser,
  introspect,
  signIn,
  tokensOf,
  type UserFixture,
} from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
let user: UserFixture;
let browser: HttpBrowser;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(async () => {
  await app.close();
});

beforeEach(async () => {
  user = await aUser(app);
  browser = await signedIn(user);
});

const url = (path: string): string => `${app.issuer}${path}`;

async function enter(who: { email: string; password: string }, from = new HttpBrowser()): Promise<Visit> {
  return signIn(from, await from.get(url('/login')), { id: '', ...who });
}

async function signedIn(who: UserFixture): Promise<HttpBrowser> {
  const fresh = new HttpBrowser();
  expect((await enter(who, fresh)).status).toBe(303);
  return fresh;
}

/** Presses the button of the form that posts to `path`. */
async function press(path: string, fields: Record<string, string> = {}, on = browser): Promise<Visit> {
  const page = await on.get(url('/account'));
  const form = [...page.html.matchAll(/<form[\s\S]*?<\/form>/g)]
    .map(([html]) => html)
    .find((html) => html.includes(`action="${path}"`));
  if (form === undefined) throw new Error(`no form for ${path} on the account page`);
  const hidden = [...form.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(
    ([, name = '', value = '']) => [name, value],
  );
  return on.post(url(path), { ...Object.fromEntries(hidden), ...fields });
}

const done = (visit: Visit): (number | string | undefined)[] => [
  visit.status,
  visit.location?.slice(app.issuer.length),
];

describe('/account', () => {
  it.each([
    ['GET', '/account'],
    ['POST', '/account/withdraw'],
    ['POST', '/account/sessions/end'],
    ['POST', '/account/sessions/end-others'],
    ['POST', '/account/password'],
  ])('sends whoever is not signed in to do so: %s %s', async (method, path) => {
    const stranger = new HttpBrowser();
    const visit = method === 'GET' ? await stranger.get(url(path)) : await stranger.post(url(path), {});
    expect(done(visit)).toEqual([303, '/login']);
  });

  it('greets the person and says nothing that the address bar made up', async () => {
    const { html } = await browser.get(url('/account?done=%3Cscript%3E'));
    expect(html).toContain(user.email);
    expect(html).not.toContain('role="status"');
    expect((await browser.get(url('/account?done=toString'))).status).toBe(200);
  });
});

describe('connected apps', () => {
  it('are shown with what they may do, and withdrawing ends their access at once', async () => {
    const flow = { ...(await aFlow(app, { client_name: 'Note Taker' })), user };
    const reader = await aConfidentialClient(app);
    await app.admin('PUT', `/admin/resources/${flow.resource.id}/runtime-clients/${reader.id}`);
    const { tokens } = await tokensOf(flow, {}, browser);

    const { html } = await browser.get(url('/account'));
    expect(html).toContain('<bdi>Note Taker</bdi>');
    expect(html).toContain('<code>notes:read</code>');

    const visit = await press('/account/withdraw');
    expect(done(visit)).toEqual([303, '/account?done=withdrawn']);
    const after = await browser.get(visit.location ?? '');
    expect(after.html).toContain('role="status"');
    expect(after.html).toContain('No application has access.');
    expect(await introspect(app, tokens.access_token, reader)).toEqual({ active: false });
    expect(await audited(app, 'consent.withdrawn')).toContainEqual(
      expect.objectContaining({ actor_id: user.id, client_id: flow.client.id }),
    );
  });

  it.each(['', 'nonsense', '01900000-0000-7000-8000-000000000000'])(
    'that do not exist are no mistake: "%s"',
    async (consent) => {
      await tokensOf({ ...(await aFlow(app)), user }, {}, browser);
      expect(done(await press('/account/withdraw', { consent }))).toEqual([303, '/account?done=withdrawn']);
      expect((await browser.get(url('/account'))).html).not.toContain('No application has access.');
    },
  );
});

describe('sessions', () => {
  it('are listed with this one marked, and another can be ended', async () => {
    const other = await signedIn(user);
    const { html } = await browser.get(url('/account'));
    expect(html.match(/This browser/g)).toHaveLength(1);
    expect(html.match(/action="\/account\/sessions\/end"/g)).toHaveLength(1);
    expect(done(await press('/account/sessions/end'))).toEqual([303, '/account?done=ended']);
    expect((await other.get(url('/account'))).location).toBe(url('/login'));
    expect((await browser.get(url('/account'))).status).toBe(200);
  });

  it('can be ended all but this one', async () => {
    const others = [await signedIn(user), await signedIn(user)];
    expect(done(await press('/account/sessions/end-others'))).toEqual([303, '/account?done=others-ended']);
    for (const other of others) expect((await other.get(url('/account'))).status).toBe(303);
    expect((await browser.get(url('/account'))).status).toBe(200);
  });

  it('that do not exist are no mistake', async () => {
    await signedIn(user);
    expect(done(await press('/account/sessions/end', { session: 'nonsense' }))).toEqual([303, '/account?done=ended']);
  });
});

describe('the password', () => {
  const next = 'a new and longer password';

  it('is changed with the old one, and from then on only the new one signs in', async () => {
    const other = await signedIn(user);
    const visit = await press('/account/password', { current: user.password, new: next, again: next });
    expect(done(visit)).toEqual([303, '/account?done=password-changed']);
    expect((await browser.get(url('/account'))).status).toBe(200);
    expect((await other.get(url('/account'))).status).toBe(303);
    expect((await enter(user)).status).toBe(422);
    expect((await enter({ ...user, password: next })).status).toBe(303);
    expect(await audited(app, 'user.password_changed')).toContainEqual(
      expect.objectContaining({ actor_id: user.id, detail: { user: user.id } }),
    );
  });

  it.each([
    [
      'the old one is wrong',
      { current: 'not the password', new: next, again: next },
      'The current password is not right.',
    ],
    ['the repetition differs', { new: next, again: `${next}.` }, 'The new password and its repetition differ.'],
    ['it is short', { new: 'too short', again: 'too short' }, 'The password must have at least 12 characters.'],
    ['everything is missing', { current: '' }, 'The current password is not right.'],
  ])('stays when %s, and the page says so', async (_, fields, problem) => {
    const visit = await press('/account/password', { current: user.password, ...fields });
    expect(visit.status).toBe(422);
    expect(visit.html).toContain(problem);
    expect(visit.html).toContain('aria-invalid="true"');
    expect((await enter(user)).status).toBe(303);
  });

  it('cannot be set by whoever came through another provider', async () => {
    await app.sql("update users set provider = 'oidc' where id = $1", [user.id]);
    expect((await browser.get(url('/account'))).html).not.toContain('type="password"');
  });
});
