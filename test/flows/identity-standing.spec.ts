import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aResource, audited } from '../builders.js';
import { arrive, begin, SEALING, startFederation, there, type Federation } from '../federating.js';
import { mapGroup } from '../groups.js';
import { whileHeld } from '../held-lock.js';
import { HttpBrowser } from '../http-browser.js';

let at: Federation;
let person = 0;

beforeAll(async () => {
  at = await startFederation({
    provider: 'recheck: 15m, authorization_parameters: { prompt: login, access_type: offline }',
    options: { settings: SEALING },
  });
});

afterAll(async () => {
  await at.close();
});

const aLogin = (): string => `person-${(person += 1)}`;

interface Row {
  id: string;
  user_id: string;
  provider: string | null;
  groups: string[] | null;
  checked_at: Date | null;
  refused_at: Date | null;
  sealed_refresh_token: string | null;
}

const standingOf = async (subject: string): Promise<Row> =>
  (await at.app.sql<Row>('select * from identities where subject = $1', [subject]))[0]!;
const epoch = async (): Promise<number> =>
  Number((await at.app.sql<{ epoch: string }>('select epoch from policy_epoch'))[0]?.epoch);

async function signIn(login: string, claims: Record<string, unknown> = {}, slug: 'acme' | 'globex' = 'acme') {
  await at[slug].set({ people: { [login]: claims } });
  const visit = await arrive(at, new HttpBrowser(), login, slug);
  expect(visit.status).toBe(303);
  return standingOf(login);
}

describe('a sign-in at an identity provider', () => {
  it('stores how the person stands there: provider, groups, when, and the refresh token sealed', async () => {
    const login = aLogin();
    const standing = await signIn(login, { groups: ['staff', 'admins', 'staff'] });
    expect(standing).toMatchObject({ provider: 'acme', groups: ['admins', 'staff'], refused_at: null });
    expect(standing.checked_at).toEqual(at.app.clock.now());
    expect(standing.sealed_refresh_token).toMatch(/^v1\./);
    const [session] = await at.app.sql<{ upstream_session_id: string }>(
      'select upstream_session_id from sessions where user_id = $1',
      [standing.user_id],
    );
    expect(session?.upstream_session_id).toMatch(/^[\w-]{10,}$/);
  });

  it('asks for offline_access where it is to be asked again, with what the operator adds, and elsewhere not', async () => {
    const asked = new URL((await begin(at, new HttpBrowser())).location ?? '').searchParams;
    expect(asked.get('scope')).toBe('openid email profile groups offline_access');
    expect([asked.get('prompt'), asked.get('access_type')]).toEqual(['login', 'offline']);
    const other = new URL((await begin(at, new HttpBrowser(), 'globex')).location ?? '').searchParams;
    expect(other.get('scope')).toBe('openid email profile groups');
  });

  it('keeps no refresh token of a provider that is never asked again', async () => {
    const standing = await signIn(aLogin(), { email: `${aLogin()}@globex.example`, groups: ['x'] }, 'globex');
    expect(standing).toMatchObject({ provider: 'globex', groups: ['x'], sealed_refresh_token: null });
  });

  it.each([
    ['said nothing', null, null],
    ['named none', [], []],
    ['named one outside a list', 'staff', ['staff']],
    ['mixed in what is no name', ['staff', 7, null, '', 'nul\0', 'x'.repeat(257), { a: 1 }], ['staff']],
  ])('stores the groups of somebody of whom the provider %s', async (_, claim, stored) => {
    const login = aLogin();
    expect((await signIn(login, { groups: claim })).groups).toEqual(stored);
  });

  it('stores no more groups than five hundred', async () => {
    const groups = Array.from({ length: 600 }, (_, index) => `group-${index}`);
    expect((await signIn(aLogin(), { groups })).groups).toHaveLength(500);
  });

  it('with other groups than before makes everybody decide again who is about to issue; with the same it does not', async () => {
    const login = aLogin();
    await signIn(login, { groups: ['staff'] });
    const unmapped = await epoch();
    await signIn(login, { groups: ['guests'] });
    expect(await epoch()).toBe(unmapped);
    await mapGroup(at.app, 'acme', 'staff', await aResource(at.app), 'notes:read');
    const before = await epoch();
    await signIn(login, { groups: ['guests'] });
    expect(await epoch()).toBe(before);
    expect((await signIn(login, { groups: ['staff'] })).groups).toEqual(['staff']);
    expect(await epoch()).toBe(before + 1);
  });

  it('never shows the token: not in logs, audit, nor to the operator', async () => {
    const login = aLogin();
    const { user_id: id, sealed_refresh_token: sealed } = await signIn(login, { groups: ['staff'] });
    const { body } = await at.app.admin('GET', `/admin/users/${id}/identities`);
    expect(body.identities).toEqual([
      {
        issuer: at.acme.origin,
        subject: login,
        created_at: expect.any(String),
        provider: 'acme',
        groups: ['staff'],
        checked_at: at.app.clock.now().toISOString(),
        refused_at: null,
      },
    ]);
    const audit = JSON.stringify(await audited(at.app, 'user.oidc_login'));
    expect([at.app.logged.join('\n'), audit].filter((text) => text.includes(sealed ?? ''))).toEqual([]);
  });
});

describe('an identity that an operator takes away while the person signs in', () => {
  it('opens no session', async () => {
    const login = aLogin();
    const { id } = await signIn(login);
    const browser = new HttpBrowser();
    const callback = await there(at, browser, login);
    const taken = `delete from identities where id = '${id}'`;
    const arrived = await whileHeld(
      at.app,
      taken,
      () => browser.get(callback),
      async () => undefined,
    );
    expect(arrived.status).toBe(403);
    expect((await browser.get(`${at.app.issuer}/account`)).location).toBe(`${at.app.issuer}/login`);
  });
});
