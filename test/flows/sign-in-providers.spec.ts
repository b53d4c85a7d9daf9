import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { audited } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';
import { Idp } from '../idp/idp.js';
import { enterAt, signInDraft, startSignInSetting, type SignInSetting } from '../sign-in-providers.js';

let at: SignInSetting;
beforeAll(async () => {
  at = await startSignInSetting({}, ['second']);
});
afterAll(() => at?.close());
afterEach(async () => {
  for (const slug of ['acme', 'second']) await at.app.admin('DELETE', `/admin/sign-in-providers/${slug}?force=true`);
});

const PATH = '/admin/sign-in-providers';
const create = (more: object = {}) => at.app.admin('POST', PATH, signInDraft(at, more));
const patch = (change: object) => at.app.admin('PATCH', `${PATH}/acme`, change);
const page = async (path: string, where = at.app.url) => (await new HttpBrowser().get(`${where}${path}`)).html;
const policyEpoch = async () => Number((await at.app.sql('select epoch from policy_epoch'))[0]?.epoch);
const reference = { client_secret: undefined, client_secret_ref: 'AUTHPLANE_VAULT_ACME' };

describe('an operator adds a provider while the server runs', () => {
  it('and gets every setting back as it is in force, now and later; nothing of the secret', async () => {
    const { status, body } = await create({ hosted_domains: ['corp.example'] });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      slug: 'acme',
      source: 'api',
      enabled: true,
      redirect_uri: `${at.app.issuer}/oidc/acme/callback`,
      issuer: at.acme.origin,
      client_id: at.client.clientId,
      display_name: 'Acme',
      hosted_domains: ['corp.example'],
      tenants: [],
      trust_email: false,
      logout_upstream: false,
      created_at: expect.stringMatching(/Z$/),
    });
    expect(Object.keys(body).filter((name) => name.includes('secret'))).toEqual([]);
    expect((await at.app.admin('GET', `${PATH}/acme`)).body).toEqual(body);
    expect((await at.app.admin('GET', PATH)).body).toEqual({ sign_in_providers: [body] });
    const [created] = await audited(at.app, 'sign_in_provider.created');
    expect(created?.detail).toMatchObject({ slug: 'acme', issuer: at.acme.origin, enabled: true });
  });

  it('through one replica, and at the next request people sign in at the other', async () => {
    expect(await page('/login')).not.toContain('/oidc/acme/start');
    expect(await page('/login', at.beside.url)).not.toContain('/oidc/acme/start');
    expect((await at.beside.admin('POST', PATH, signInDraft(at))).status).toBe(201);
    for (const where of [at.app.url, at.beside.url]) {
      const login = await page('/login', where);
      expect(login).toContain('action="/oidc/acme/start"');
      expect(login).toContain('Continue with Acme');
    }
    const browser = new HttpBrowser();
    expect((await enterAt(at, browser, 'ada')).location).toBe(`${at.app.issuer}/account`);
    expect((await browser.get(`${at.app.issuer}/account`)).html).toContain('ada@corp.example');
    expect((await audited(at.app, 'user.oidc_login'))[0]?.detail).toMatchObject({ provider: 'acme' });
  });

  it('whose secret the environment has', async () => {
    const { body } = await create(reference);
    expect(body.client_secret_ref).toBe('AUTHPLANE_VAULT_ACME');
    expect((await enterAt(at, new HttpBrowser(), 'ada')).location).toBe(`${at.app.issuer}/account`);
  });

  it('and one for people with an address has no button', async () => {
    await create({ email_domains: ['Corp.Example'] });
    const browser = new HttpBrowser();
    const login = await browser.get(`${at.app.url}/login`);
    expect(login.html).not.toContain('/oidc/acme/start');
    const sent = await browser.post(`${at.app.url}/oidc/by-email`, { email: 'ada@corp.example' });
    expect(sent.location ?? '').toContain(at.acme.origin);
    expect(new URL(sent.location ?? '').searchParams.get('login_hint')).toBe('ada@corp.example');
  });

  it('twice under one slug: 409', async () => {
    await create();
    const { status, body } = await create();
    expect([status, body.code]).toEqual([409, 'sign_in_provider_exists']);
  });

  it('under a slug that is not there: 404 for whoever asks for it', async () => {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const { status, body } = await at.app.admin(method, `${PATH}/nowhere`, method === 'PATCH' ? {} : undefined);
      expect([status, body.code]).toEqual([404, 'sign_in_provider_not_found']);
    }
  });
});

describe('an operator changes a provider', () => {
  it('and what is not named stays; null takes a value away; the policy epoch moves on', async () => {
    await create({ tenants: ['tenant-1'], logout_upstream: true });
    const before = await policyEpoch();
    const { status, body } = await patch({ display_name: null, tenants: ['tenant-1', 'tenant-2'] });
    expect(status).toBe(200);
    expect(body).toMatchObject({ tenants: ['tenant-1', 'tenant-2'], logout_upstream: true });
    expect(body).not.toHaveProperty('display_name');
    expect(await policyEpoch()).toBeGreaterThan(before);
    expect(await page('/login')).toContain(`Continue with ${new URL(at.acme.origin).host}`);
    const [changed] = await audited(at.app, 'sign_in_provider.patched');
    expect(changed?.detail).toEqual({
      id: expect.any(String),
      slug: 'acme',
      enabled: true,
      fields: ['display_name', 'tenants'],
    });
  });

  it('and whoever was let in by the former rules is not by the new ones', async () => {
    await create();
    await patch({ tenants: ['tenant-2'] });
    const visit = await enterAt(at, new HttpBrowser(), 'ada');
    expect(visit.status).toBe(403);
    expect((await audited(at.app, 'user.oidc_login_failed'))[0]?.reason).toBe('tenant_refused');
  });

  it('to another issuer, and the record says from where to where', async () => {
    await create();
    expect((await patch({ issuer: 'https://login.acme.example' })).status).toBe(200);
    expect((await audited(at.app, 'sign_in_provider.patched'))[0]?.detail).toMatchObject({
      moved: { from: at.acme.origin, to: 'https://login.acme.example' },
    });
  });

  it('to another issuer, which is never shown what the former one gave to ask again with', async () => {
    await create({ recheck: '15m' });
    const browser = new HttpBrowser();
    await enterAt(at, browser, 'ada');
    const other = await Idp.start();
    expect((await patch({ issuer: other.origin })).status).toBe(200);
    at.app.clock.advance(14 * 60);
    expect((await browser.get(`${at.app.issuer}/account`)).status).toBe(200);
    at.app.clock.advance(2 * 60);
    expect((await browser.get(`${at.app.issuer}/account`)).location).toContain('/login');
    expect((await other.requests()).token).toBe(0);
    await other.stop();
  });

  it('and a secret and the name of a variable take each other’s place', async () => {
    const sealed = async () => (await at.app.sql('select sealed_secret from sign_in_providers'))[0]?.sealed_secret;
    await create();
    expect(await sealed()).toEqual(expect.any(String));
    await patch({ client_secret_ref: 'AUTHPLANE_VAULT_ACME' });
    expect(await sealed()).toBeNull();
    expect((await enterAt(at, new HttpBrowser(), 'ada')).status).toBe(303);
    expect((await patch({ client_secret: at.client.clientSecret })).body).not.toHaveProperty('client_secret_ref');
    expect((await audited(at.app, 'sign_in_provider.patched'))[0]?.detail).toMatchObject({ secret: 'changed' });
    expect((await enterAt(at, new HttpBrowser(), 'ada')).status).toBe(303);
    await patch({ client_secret: null });
    expect(await sealed()).toBeNull();
    expect((await enterAt(at, new HttpBrowser(), 'ada')).status).toBe(503);
  });

  it('to something that is wrong: 400, and it stays as it was', async () => {
    const { body } = await create();
    expect((await patch({ issuer: 'ftp://acme.example' })).status).toBe(400);
    expect((await at.app.admin('GET', `${PATH}/acme`)).body).toEqual(body);
  });

  it('to another slug: 400, because it is in the redirect URI', async () => {
    await create();
    const { status, body } = await patch({ slug: 'second' });
    expect([status, body.detail]).toEqual([400, expect.stringContaining('slug cannot change')]);
  });
});

describe('an operator switches a provider off', () => {
  it('and its button is gone, who is on the way there comes back to nothing, and who is signed in stays', async () => {
    await create();
    const [inside, onTheWay] = [new HttpBrowser(), new HttpBrowser()];
    await enterAt(at, inside, 'ada');
    const begun = await onTheWay.get(`${at.app.issuer}/oidc/acme/start`);
    const back = (await at.acme.signIn(onTheWay, begun, 'ada')).location ?? '';

    expect((await at.beside.admin('PATCH', `${PATH}/acme`, { enabled: false })).body.enabled).toBe(false);
    expect(await page('/login')).not.toContain('/oidc/acme/start');
    expect((await new HttpBrowser().get(`${at.app.issuer}/oidc/acme/start`)).status).toBe(404);
    expect((await onTheWay.get(back)).status).toBe(404);
    const [refused] = await audited(at.app, 'user.oidc_login_failed');
    expect(refused?.reason).toBe('identity_provider_unknown');
    expect((await inside.get(`${at.app.issuer}/account`)).status).toBe(200);

    await patch({ enabled: true });
    expect((await enterAt(at, new HttpBrowser(), 'ada')).location).toBe(`${at.app.issuer}/account`);
  });
});

describe('an operator deletes a provider', () => {
  it('not while people signed in there, unless by force; they stay who they are', async () => {
    await create();
    await enterAt(at, new HttpBrowser(), 'ada');
    const people = () => at.app.sql('select user_id from identities where issuer = $1', [at.acme.origin]);
    const before = await people();
    const { status, body } = await at.app.admin('DELETE', `${PATH}/acme`);
    expect([status, body.code]).toEqual([409, 'sign_in_provider_in_use']);
    expect((await at.app.admin('DELETE', `${PATH}/acme?force=true`)).status).toBe(204);
    expect((await at.app.admin('GET', `${PATH}/acme`)).status).toBe(404);
    expect(await page('/login', at.beside.url)).not.toContain('/oidc/acme/start');
    expect(await people()).toEqual(before);
    expect((await audited(at.app, 'sign_in_provider.deleted'))[0]?.detail).toMatchObject({
      slug: 'acme',
      forced: true,
    });
  });

  it('at which nobody did', async () => {
    await create({ slug: 'nobodys', issuer: 'https://login.nobody.example' });
    expect((await at.app.admin('DELETE', `${PATH}/nobodys`)).status).toBe(204);
  });
});
