import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { audited } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';
import { Idp } from '../idp/idp.js';
import { enterAt, signInDraft, startSignInSetting, type SignInSetting } from '../sign-in-providers.js';
import { encryptionAtRest } from '../upstream/builders.js';

const PLANTED = 'planted-secret-4c1f8';
const PATH = '/admin/sign-in-providers';
const yaml = `oidc:
  enabled: true
  issuer: https://login.default.example
  client_id: us
  client_secret: ${PLANTED}-of-the-default
  providers:
    - { slug: fixed, issuer: 'https://login.fixed.example', client_id: us, client_secret: ${PLANTED}-of-the-file }`;

let at: SignInSetting;
beforeAll(async () => {
  at = await startSignInSetting({ yaml });
});
afterAll(() => at?.close());
afterEach(() => at.app.admin('DELETE', `${PATH}/acme?force=true`));

const draft = (more: object = {}) => ({ ...signInDraft(at, more) });
const create = (more: object = {}) => at.app.admin('POST', PATH, draft(more));
/** Of both replicas. */
const logged = () => [...at.app.logged, ...at.beside.logged].join('\n');
const rows = async () => JSON.stringify(await at.app.sql('select * from sign_in_providers'));

/** Sent as it is. */
async function raw(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${at.app.adminUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${at.app.adminKey}`, ...(body && { 'content-type': 'application/json' }) },
    body,
  });
  return { status: response.status, text: await response.text() };
}

describe('the secret of a sign-in provider', () => {
  it('is in no answer, audit row or log line, and in the database only sealed', async () => {
    const answers = [
      await create({ client_secret: PLANTED }),
      await at.app.admin('PATCH', `${PATH}/acme`, { client_secret: `${PLANTED}-2` }),
      await at.app.admin('GET', `${PATH}/acme`),
      await at.app.admin('GET', PATH),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 200]);
    await enterAt(at, new HttpBrowser(), 'ada');
    const tables = await at.app.sql<{ name: string }>(
      `select quote_ident(table_name) as name from information_schema.tables where table_schema = 'public'`,
    );
    expect(tables.length).toBeGreaterThan(20);
    const dump = await Promise.all(tables.map(({ name }) => at.app.sql(`select t::text from ${name} t`)));
    const seen = [JSON.stringify(answers), JSON.stringify(dump), logged()];
    for (const text of seen) expect(text).not.toContain(PLANTED);
    expect(JSON.stringify(answers)).not.toContain('sealed');
    const [row] = await at.app.sql('select sealed_secret from sign_in_providers');
    expect(row?.sealed_secret).toEqual(expect.any(String));
  });

  it('does not open in the row of another provider', async () => {
    await create();
    await at.app.sql(
      `insert into sign_in_providers select gen_random_uuid(), 'copied', settings, sealed_secret, true, now(), now() from sign_in_providers`,
    );
    await at.app.sql('update policy_epoch set epoch = epoch + 1');
    const visit = await enterAt(at, new HttpBrowser(), 'ada', 'copied').catch(() => undefined);
    await at.app.sql(`delete from sign_in_providers where slug = 'copied'`);
    await at.app.sql('update policy_epoch set epoch = epoch + 1');
    expect(visit).toBeUndefined();
    expect(logged()).toContain('"reason":"idp_secret_unreadable","provider":"copied"');
  });

  it('that is not set sends nobody anywhere, and signing out still works', async () => {
    await create({ logout_upstream: true });
    const inside = new HttpBrowser();
    await enterAt(at, inside, 'ada');
    await at.app.admin('PATCH', `${PATH}/acme`, { client_secret_ref: 'CONNECTOR_NOT_SET' });
    const { status, html } = await new HttpBrowser().get(`${at.app.issuer}/oidc/acme/start`);
    expect(status).toBe(503);
    expect(html).not.toContain('CONNECTOR_NOT_SET');
    expect(logged()).toContain('"reason":"idp_secret_missing","provider":"acme"');
    const page = await inside.get(`${at.app.issuer}/account`);
    const left = await inside.post(`${at.app.issuer}/logout`, page.form('csrf'));
    expect([left.status, left.location]).toEqual([303, `${at.app.issuer}/login`]);
  });

  it.each<[string, object]>([
    ['a member that is missing', { client_id: undefined }],
    ['an issuer that holds it', { issuer: `ftp://${PLANTED}` }],
    ['a password in the issuer', { issuer: `https://us:${PLANTED}@acme.example` }],
    ['text where a flag belongs', { trust_email: PLANTED }],
    ['a list where text belongs', { client_id: [PLANTED] }],
    ['a reference that is the secret', { client_secret: undefined, client_secret_ref: PLANTED }],
    ['both a secret and a reference', { client_secret_ref: 'CONNECTOR_A' }],
    ['a secret that is a list', { client_secret: [PLANTED] }],
    ['a secret of 5,000 characters', { client_secret: PLANTED.repeat(250) }],
    ['a slug that holds it', { slug: `${PLANTED}!` }],
  ])('sent along with %s is not repeated, logged or kept', async (_, change) => {
    const { status, body } = await create({ client_secret: PLANTED, ...change });
    expect(status).toBe(400);
    const audit = JSON.stringify(await at.app.sql('select * from audit_events'));
    for (const text of [JSON.stringify(body), audit, logged(), await rows()]) expect(text).not.toContain(PLANTED);
  });
});

describe('whoever may write sign-in providers cannot make the server give away its own secrets', () => {
  it.each([
    'AUTHPLANE_SESSION_SECRET',
    'AUTHPLANE_ADMIN_API_KEY',
    'AUTHPLANE_TEST_MASTER_KEY',
    'PATH',
    'connector_a',
    'CONNECTOR_',
    'XCONNECTOR_A',
    ' CONNECTOR_A',
    'CONNECTOR_A=B',
    'AUTHPLANE_VAULT_ACME\n',
    `CONNECTOR_${'A'.repeat(200)}`,
    '__proto__',
  ])('by a reference to the variable %j', async (name) => {
    const { status, body } = await create({ client_secret: undefined, client_secret_ref: name });
    expect([status, body.detail]).toEqual([400, expect.stringContaining('client_secret_ref must')]);
    expect(await rows()).toBe('[]');
  });

  it('not even by a row that somebody wrote into the database', async () => {
    await create({ client_secret: undefined, client_secret_ref: 'AUTHPLANE_VAULT_ACME' });
    await at.app.sql(
      `update sign_in_providers set settings = settings || '{"client_secret_ref":"AUTHPLANE_SESSION_SECRET"}'`,
    );
    await at.app.sql('update policy_epoch set epoch = epoch + 1');
    expect((await new HttpBrowser().get(`${at.app.issuer}/oidc/acme/start`)).status).toBe(404);
    expect((await at.app.admin('GET', `${PATH}/acme`)).body.problem).toContain('client_secret_ref must');
    expect((await new HttpBrowser().get(`${at.app.issuer}/login`)).html).toContain('/oidc/fixed/start');
  });
});

describe('a person who is on the way', () => {
  it('does not come back to another provider that has taken the place of this one: no code is sent there', async () => {
    await create();
    const browser = new HttpBrowser();
    const begun = await browser.get(`${at.app.issuer}/oidc/acme/start`);
    const back = (await at.acme.signIn(browser, begun, 'ada')).location ?? '';
    const other = await Idp.start();
    try {
      for (const change of [{ issuer: other.origin }, { issuer: at.acme.origin, client_id: 'another' }]) {
        expect((await at.app.admin('PATCH', `${PATH}/acme`, change)).status).toBe(200);
        const before = (await at.acme.requests()).token;
        expect((await browser.get(back)).status).toBe(400);
        expect((await at.acme.requests()).token).toBe(before);
        expect((await other.requests()).token).toBe(0);
        const [refused] = await audited(at.app, 'user.oidc_login_failed');
        expect(refused?.reason).toBe('sign_in_of_another_provider');
      }
      await at.app.admin('PATCH', `${PATH}/acme`, { client_id: at.client.clientId });
      expect((await browser.get(back)).location).toBe(`${at.app.issuer}/account`);
    } finally {
      await other.stop();
    }
  });
});

describe('a slug of the configuration', () => {
  it.each(['fixed', 'default'])('%s is taken, shown read-only, and neither changed nor deleted', async (slug) => {
    const { status, body } = await create({ slug });
    expect([status, body.code]).toEqual([409, 'sign_in_provider_exists']);
    const shown = await at.app.admin('GET', `${PATH}/${slug}`);
    expect(shown.body).toMatchObject({ slug, source: 'config', issuer: `https://login.${slug}.example` });
    expect(JSON.stringify(shown.body)).not.toContain(PLANTED);
    for (const [method, change] of [
      ['PATCH', { display_name: 'Mine' }],
      ['DELETE', undefined],
    ] as const) {
      const refused = await at.app.admin(method, `${PATH}/${slug}?force=true`, change);
      expect([refused.status, refused.body.code]).toEqual([409, 'sign_in_provider_configured']);
    }
  });

  it('is not taken over by a row that was there before: the configuration wins', async () => {
    await at.app.sql(
      `insert into sign_in_providers values (gen_random_uuid(), 'fixed', $1::jsonb, null, true, now(), now())`,
      [JSON.stringify({ issuer: at.acme.origin, client_id: 'evil', display_name: 'Evil' })],
    );
    await at.app.sql('update policy_epoch set epoch = epoch + 1');
    const { html } = await new HttpBrowser().get(`${at.app.issuer}/login`);
    const { body } = await at.app.admin('GET', PATH);
    const changed = await at.app.admin('PATCH', `${PATH}/fixed`, { display_name: 'Eviler' });
    expect(changed.body.code).toBe('sign_in_provider_configured');
    // Such a row may be cleared away.
    expect((await at.app.admin('DELETE', `${PATH}/fixed?force=true`)).status).toBe(204);
    expect(html).not.toContain('Evil');
    expect(html.match(/\/oidc\/fixed\/start/g)).toHaveLength(1);
    expect(body.sign_in_providers.map(({ slug, source }: any) => [slug, source])).toEqual([
      ['default', 'config'],
      ['fixed', 'config'],
    ]);
  });

  it('differs from every other by more than what a URL forgives', async () => {
    for (const slug of [
      'Acme',
      'a/b',
      '../fixed',
      'fixed%2f',
      '',
      'a'.repeat(64),
      '-a',
      'ac me',
      'acme\u0000',
      undefined,
      5,
    ])
      expect((await create({ slug })).status).toBe(400);
    expect(await rows()).toBe('[]');
  });
});

describe('a provider cannot be', () => {
  it.each<[string, object, string]>([
    ['without an issuer', { issuer: null }, 'issuer is required'],
    ['without a client id', { client_id: null }, 'client_id is required'],
    ['this server itself', { issuer: 'OURS' }, 'issuer must not be this server'],
    ['this server itself with a slash', { issuer: 'OURS/' }, 'issuer must not be this server'],
    ['at a metadata service', { issuer: 'http://169.254.169.254' }, 'issuer must be the URL of a host'],
    ['at a metadata service in other digits', { issuer: 'http://2852039166' }, 'issuer must be the URL of a host'],
    ['a file', { issuer: 'file:///etc/passwd' }, 'issuer must be an https URL'],
    ['an issuer with a query', { issuer: 'https://acme.example/?a=b' }, 'issuer must be an https URL'],
    ['of a member nobody knows', { trust_emial: true }, 'trust_emial is not a setting; did you mean trust_email?'],
    ['of a sealed secret', { sealed_secret: 'v1:aaaa' }, 'sealed_secret is not a setting'],
    ['of an id', { id: 'chosen' }, 'id is not a setting'],
    ['enabled by text', { enabled: 'yes' }, 'enabled must be true or false'],
    ['of a domain that is none', { hosted_domains: ['*'] }, 'hosted_domains has the entry'],
    ['of a mapping where text belongs', { client_id: { a: { b: 'c\u0000' } } }, 'client_id must not contain control'],
    ['of 101 tenants', { tenants: Array(101).fill('a') }, 'tenants must have at most 100 entries'],
    ['of a name of 3,000 characters', { display_name: 'a'.repeat(3_000) }, 'display_name must be at most 2048'],
    ['of U+0000', { display_name: 'a\u0000b' }, 'display_name must not contain control characters'],
    ['of half a character', { tenants: ['\ud800'] }, 'tenants must not contain control characters'],
    ['of a line break in a scope', { scopes: ['openid\nemail'] }, 'scopes must not contain control characters'],
    ['of a placeholder', { client_id: '${CLIENT}' }, 'is still a placeholder'],
  ])('%s', async (_, change, named) => {
    const ours = JSON.parse(JSON.stringify(change).replace('OURS', at.app.issuer)) as object;
    const { status, body } = await create(ours);
    expect([status, body.code, body.detail]).toEqual([400, 'invalid_request', expect.stringContaining(named)]);
    expect(await rows()).toBe('[]');
  });

  it.each<[string, string]>([
    ['a list', '[]'],
    ['nothing', 'null'],
    ['of a member twice', '{"slug":"acme","client_id":"a","client_id":"b","issuer":"https://a.example"}'],
    ['of a prototype', '{"slug":"acme","issuer":"https://a.example","client_id":"a","__proto__":{"enabled":false}}'],
    ['nested without end', `{"slug":"acme","tenants":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['no JSON', `{"slug":"acme","client_secret":"${PLANTED}"`],
  ])('%s', async (_, body) => {
    const { status, text } = await raw('POST', PATH, body);
    expect(status).toBe(400);
    for (const seen of [text, logged()]) expect(seen).not.toContain(PLANTED);
    expect(await rows()).toBe('[]');
  });
});

describe('without the operator’s key', () => {
  it.each([
    ['GET', PATH],
    ['POST', PATH],
    ['GET', `${PATH}/fixed`],
    ['PATCH', `${PATH}/fixed`],
    ['DELETE', `${PATH}/fixed`],
    ['GET', '/admin/group-scopes'],
    ['POST', '/admin/group-scopes'],
    ['DELETE', '/admin/group-scopes/00000000-0000-7000-8000-000000000000'],
  ])('%s %s is refused, and on the public listener there is no such path', async (method, path) => {
    expect((await fetch(`${at.app.adminUrl}${path}`, { method })).status).toBe(401);
    expect((await fetch(`${at.app.url}${path}`, { method })).status).toBe(404);
  });
});

/** Last, because the newest server of the process has everybody's log lines. */
describe('another server', () => {
  it('without encryption at rest takes no secret, and stores nothing', async () => {
    const bare = await startTestApp();
    try {
      const { status, body } = await bare.admin('POST', PATH, draft());
      expect([status, body.code]).toEqual([409, 'encryption_off']);
      expect(await bare.sql('select * from sign_in_providers')).toEqual([]);
      const { client_secret: _, ...open } = draft();
      expect((await bare.admin('POST', PATH, open)).status).toBe(201);
    } finally {
      await bare.close();
    }
  });

  it('that is not on localhost knows no provider on plain http', async () => {
    const settings = { ...encryptionAtRest, SERVER_ISSUER: 'https://auth.example.com' };
    const production: TestApp = await startTestApp({ settings });
    try {
      const { status, body } = await production.admin('POST', PATH, draft({ issuer: 'http://login.acme.example' }));
      expect([status, body.detail]).toEqual([400, expect.stringContaining('issuer must be https')]);
    } finally {
      await production.close();
    }
  });
});
