import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aResource, introspect, type ClientFixture, type ResourceFixture } from '../builders.js';
import {
  allowed,
  anAgent,
  claimsOf,
  exchange,
  expectRefused,
  front,
  letActAs,
  letExchange,
  startExchangingApp,
  started,
  type Started,
} from '../exchanges.js';
import { whileHeld } from '../held-lock.js';

let app: TestApp;
beforeAll(async () => (app = await startExchangingApp()));
afterAll(() => app.close());

interface Hop {
  at: Started;
  target: ResourceFixture;
  acting: ClientFixture;
  /** Whoever acts as the target, and so may ask about its tokens. */
  watcher: ClientFixture;
}

/** A token that is shown to a gateway, which may exchange it: over a link, or straight because the person allowed it. */
async function aHop(way: 'fronted' | 'direct'): Promise<Hop> {
  const [at, target, acting, watcher] = await Promise.all([started(app), aResource(app), anAgent(app), anAgent(app)]);
  await letActAs(app, target, watcher);
  if (way === 'direct') {
    await allowed(at, target);
    await letExchange(app, target, acting);
  } else {
    await front(app, at.resource, target, { 'notes:read': ['notes:read'], 'notes:write': ['notes:write'] });
    await letActAs(app, at.resource, acting);
  }
  return { at, target, acting, watcher };
}

const HOLD_STORING = 'lock table issuances in exclusive mode';
const ask = ({ at, target, acting }: Hop, more = {}) =>
  exchange(app, acting, at.token, { resource: target.uri, ...more });
const policyOf = ({ slug }: ResourceFixture, list: string): string => `/admin/resources/${slug}/policy/${list}`;
const consentAt = async ({ at }: Hop, { id }: ResourceFixture): Promise<string> => {
  const rows = await app.sql<{ id: string }>('select id from consents where user_id = $1 and resource_id = $2', [
    at.user.id,
    id,
  ]);
  return `/admin/grants/consent/${rows[0]!.id}`;
};

describe('what changes while a token is being minted', () => {
  type Change = (hop: Hop) => Promise<{ status: number }>;
  const decidedAnew: [what: string, way: 'fronted' | 'direct', change: Change, refusal: [number, string, string]][] = [
    [
      'the link goes',
      'fronted',
      ({ at, target }) => app.admin('DELETE', `/admin/fronting/${at.resource.slug}/${target.slug}`),
      [403, 'access_denied', 'cross_client_denied'],
    ],
    [
      'the map of the link narrows',
      'fronted',
      ({ at, target }) =>
        app.admin('PATCH', `/admin/fronting/${at.resource.slug}/${target.slug}`, {
          scope_map: { 'notes:read': ['notes:read'] },
        }),
      [400, 'invalid_scope', 'scope_not_held'],
    ],
    [
      'the gateway no longer acts as the source',
      'fronted',
      ({ at, acting }) => app.admin('DELETE', policyOf(at.resource, `runtime/client-ids/${acting.id}`)),
      [403, 'access_denied', 'fronting_caller_not_authorized'],
    ],
    [
      'a link begins to lead there',
      'direct',
      ({ at, target }) =>
        app.admin('POST', '/admin/fronting', {
          source: at.resource.slug,
          target: target.slug,
          scope_map: { 'notes:read': ['notes:read'] },
        }),
      [403, 'access_denied', 'fronting_caller_not_authorized'],
    ],
    [
      'the client is taken from the list of the target',
      'direct',
      ({ target, acting }) => app.admin('DELETE', policyOf(target, `exchange/allowed-clients/${acting.id}`)),
      [403, 'access_denied', 'cross_client_denied'],
    ],
    [
      'the target declares the scope no longer',
      'direct',
      ({ target }) => app.admin('PATCH', `/admin/resources/${target.id}`, { scopes: [{ name: 'notes:read' }] }),
      [400, 'invalid_scope', 'scope_not_in_catalog'],
    ],
    [
      'the person is disabled',
      'direct',
      ({ at }) => app.admin('PATCH', `/admin/users/${at.user.id}/disable`),
      [400, 'invalid_grant', 'subject_user_disabled'],
    ],
    [
      'the person is signed out everywhere',
      'direct',
      ({ at }) => app.admin('DELETE', `/admin/users/${at.user.id}/tokens`),
      [400, 'invalid_grant', 'subject_revoked'],
    ],
    [
      'the client’s ceiling falls',
      'direct',
      ({ acting }) => app.admin('PATCH', `/admin/clients/${acting.id}`, { scope: 'notes:read' }),
      [400, 'invalid_scope', 'scope_above_ceiling'],
    ],
    [
      'the client is suspended',
      'direct',
      ({ acting }) => app.admin('PATCH', `/admin/clients/${acting.id}/suspend`),
      [401, 'invalid_client', 'client_suspended'],
    ],
  ];
  it.each(decidedAnew)('is decided anew when %s', async (_, way, change, refusal) => {
    const hop = await aHop(way);
    const scope = 'notes:read notes:write';
    expect((await ask(hop, { scope })).status).toBe(200);
    const meanwhile = async () => expect([200, 201, 204]).toContain((await change(hop)).status);
    await expectRefused(app, () => whileHeld(app, HOLD_STORING, () => ask(hop, { scope }), meanwhile), refusal);
  });

  const bornDead: [what: string, way: 'fronted' | 'direct', change: Change][] = [
    [
      'the first token is revoked',
      'fronted',
      ({ at }) => app.admin('DELETE', `/admin/issuances/${claimsOf(at.token).jti}`),
    ],
    [
      'the first client is suspended',
      'fronted',
      ({ at }) => app.admin('PATCH', `/admin/clients/${at.client.id}/suspend`),
    ],
    [
      'the consent at the source falls',
      'fronted',
      async (hop) => app.admin('DELETE', await consentAt(hop, hop.at.resource)),
    ],
    ['the consent at the target falls', 'direct', async (hop) => app.admin('DELETE', await consentAt(hop, hop.target))],
  ];
  it.each(bornDead)('is born dead when %s', async (_, way, change) => {
    const hop = await aHop(way);
    const before = await ask(hop);
    expect(await introspect(app, before.body.access_token, hop.watcher)).toMatchObject({ active: true });
    const meanwhile = async () => expect([200, 204]).toContain((await change(hop)).status);
    const { status, body } = await whileHeld(app, HOLD_STORING, () => ask(hop), meanwhile);
    // What was on its way may arrive; it is as dead as what arrived before.
    expect(status).toBe(200);
    for (const token of [before.body.access_token, body.access_token])
      expect(await introspect(app, token, hop.watcher)).toEqual({ active: false });
  });
});
