import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyPair } from '../assertions.js';
import { aConfidentialClient, audited } from '../builders.js';
import { manage, registered, type Registered } from '../registrations.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
});
afterAll(() => app.close());

const rowOf = async (id: string) => (await app.sql('select * from clients where id = $1', [id]))[0];

/** Everything a stranger could tell two refusals apart by. */
function seen({ status, headers, body }: Awaited<ReturnType<typeof manage>>): unknown {
  const { request_id: _, ...public_ } = body;
  return { status, challenge: headers.get('www-authenticate'), body: public_ };
}

describe('[7592.2] who does not hold the registration token', () => {
  const nobody = '01a1fcaf-0f41-77de-a515-719d02840fdd';

  it('gets one and the same 401, whether the client exists or not, and changes nothing', async () => {
    const [victim, other, admins] = [await registered(app), await registered(app), await aConfidentialClient(app)];
    const before = await rowOf(victim.client_id);
    const { registration_access_token: theirs } = other;
    const turned = victim.registration_access_token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const refusal = {
      status: 401,
      challenge: 'Bearer realm="authserver", error="invalid_token"',
      body: {
        error: 'invalid_token',
        error_description: 'the registration access token is not accepted',
        error_uri: `${app.issuer}/errors/invalid_token#registration-token-refused`,
      },
    };
    const attempts: [Pick<Registered, 'client_id' | 'registration_access_token'>, string][] = [
      [victim, theirs],
      [victim, turned],
      [victim, `${victim.registration_access_token}A`],
      [victim, victim.client_secret],
      [victim, app.adminKey],
      [victim, victim.registration_access_token.toUpperCase()],
      [{ ...victim, client_id: nobody }, victim.registration_access_token],
      [{ ...victim, client_id: admins.id }, victim.registration_access_token],
      [{ ...victim, client_id: victim.client_id.toUpperCase() }, victim.registration_access_token],
      [{ ...victim, client_id: "' or 1=1 --" }, victim.registration_access_token],
    ];
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const body =
        method === 'PUT' ? { client_id: victim.client_id, redirect_uris: ['https://evil.example/cb'] } : undefined;
      const answers = await Promise.all(
        attempts.map(async ([client, token]) => seen(await manage(app, client, method, body, `Bearer ${token}`))),
      );
      expect(answers).toEqual(answers.map(() => refusal));
    }
    expect(await rowOf(victim.client_id)).toEqual(before);
    expect((await audited(app, 'client.registration_denied'))[0]).toMatchObject({ reason: 'registration_token_wrong' });
  });

  it('is asked for it when there is none', async () => {
    const victim = await registered(app);
    for (const authorization of ['', 'Bearer', `Basic ${victim.registration_access_token}`]) {
      const { status, headers } = await manage(app, victim, 'GET', undefined, authorization);
      expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="authserver"']);
    }
  });

  it('is everybody once the client is deleted, suspended or revoked', async () => {
    const [deleted, suspended, revoked] = [await registered(app), await registered(app), await registered(app)];
    expect((await manage(app, deleted, 'DELETE')).status).toBe(204);
    await app.admin('PATCH', `/admin/clients/${suspended.client_id}/suspend`);
    await app.admin('PATCH', `/admin/clients/${revoked.client_id}/revoke`);
    for (const each of [deleted, suspended, revoked]) {
      for (const method of ['GET', 'DELETE']) expect((await manage(app, each, method)).status).toBe(401);
    }
    expect(await rowOf(suspended.client_id)).toMatchObject({ status: 'suspended' });
    expect(await rowOf(revoked.client_id)).toMatchObject({ status: 'revoked' });
  });
});

describe('who holds it', () => {
  const change = (made: Registered, members: Record<string, unknown>) =>
    manage(app, made, 'PUT', { client_id: made.client_id, redirect_uris: made.redirect_uris, ...members });

  it('cannot give itself what operators decide', async () => {
    const made = await registered(app);
    const { status, body } = await change(made, {
      scope: 'admin',
      status: 'revoked',
      agent_confirmed: true,
      registration_source: 'admin',
      access_token_ttl: 86_400,
      version: 0,
      default_resource: 'https://elsewhere.example',
    });
    expect(status).toBe(200);
    expect(body).not.toHaveProperty('scope');
    expect(await rowOf(made.client_id)).toMatchObject({
      scope: '',
      status: 'active',
      agent_confirmed: false,
      registration_source: 'dcr',
      access_token_ttl_seconds: null,
      version: 2,
      default_resource: null,
    });
    expect((await change(made, { grant_types: ['client_credentials'] })).status).toBe(400);
    expect((await change(made, { redirect_uris: ['javascript:alert(1)'] })).body.error).toBe('invalid_redirect_uri');
  });

  it('loses what an operator vouched for by calling itself something else', async () => {
    const made = await registered(app, { agent: true, client_name: 'Agent' });
    await app.admin('PATCH', `/admin/clients/${made.client_id}`, { agent_confirmed: true });
    await change(made, { agent: true, client_name: 'Agent' });
    expect(await rowOf(made.client_id)).toMatchObject({ agent_confirmed: true });
    await change(made, { agent: true, client_name: 'Payroll' });
    expect(await rowOf(made.client_id)).toMatchObject({ agent_confirmed: false });
  });

  it('cannot come to prove who it is in another way', async () => {
    const { publicJwk } = await aKeyPair();
    const jwks = { keys: [publicJwk] };
    const [secret, key, open] = [
      await registered(app),
      await registered(app, { token_endpoint_auth_method: 'private_key_jwt', jwks }),
      await registered(app, { token_endpoint_auth_method: 'none' }),
    ];
    const downgrades: [Registered, Record<string, unknown>][] = [
      [secret, { token_endpoint_auth_method: 'none' }],
      [key, { token_endpoint_auth_method: 'none' }],
      [key, { token_endpoint_auth_method: 'client_secret_basic' }],
      [open, { token_endpoint_auth_method: 'client_secret_basic' }],
      [secret, { token_endpoint_auth_method: 'private_key_jwt', jwks }],
      [key, {}],
      [key, { jwks: { keys: [{ ...publicJwk, d: 'AA' }] } }],
    ];
    for (const [made, members] of downgrades) {
      const before = await rowOf(made.client_id);
      const { status, body } = await change(made, members);
      expect([status, body.error]).toEqual([400, 'invalid_client_metadata']);
      expect(await rowOf(made.client_id)).toEqual(before);
    }
    expect((await change(key, { jwks })).body.token_endpoint_auth_method).toBe('private_key_jwt');
  });

  it('cannot do without proofs any more, whoever decided on them, nor take back a grant that an operator took', async () => {
    const [own, told, narrowed] = [
      await registered(app, { dpop_bound_access_tokens: true }),
      await registered(app),
      await registered(app),
    ];
    await app.admin('PATCH', `/admin/clients/${told.client_id}`, { dpop_bound_access_tokens: true });
    await app.admin('PATCH', `/admin/clients/${narrowed.client_id}`, { grant_types: ['authorization_code'] });
    for (const made of [own, told]) {
      expect((await change(made, {})).body).toMatchObject({ dpop_bound_access_tokens: true });
      const before = await rowOf(made.client_id);
      const { body } = await change(made, { dpop_bound_access_tokens: false });
      expect(body).toMatchObject({ error: 'invalid_client_metadata' });
      expect((await audited(app, 'client.registration_denied'))[0]).toMatchObject({ reason: 'metadata_invalid' });
      expect(await rowOf(made.client_id)).toEqual(before);
    }
    expect((await change(narrowed, {})).body.grant_types).toEqual(['authorization_code']);
    const widened = await change(narrowed, { grant_types: ['authorization_code', 'refresh_token'] });
    expect(widened.body).toMatchObject({ error: 'invalid_client_metadata' });
    expect(await rowOf(narrowed.client_id)).toMatchObject({ grant_types: ['authorization_code'] });
  });

  it('may say again what it reads, also what an operator gave it, and give up a grant', async () => {
    const made = await registered(app);
    const grant_types = ['authorization_code', 'refresh_token', 'client_credentials'];
    await app.admin('PATCH', `/admin/clients/${made.client_id}`, { grant_types });
    const {
      registration_access_token: _,
      registration_client_uri: __,
      ...read
    } = (await manage(app, made, 'GET')).body;
    const { client_id_issued_at: ___, ...members } = read;
    expect((await change(made, members)).body.grant_types).toEqual(grant_types);
    expect((await change(made, { grant_types: ['authorization_code'] })).body.grant_types).toEqual([
      'authorization_code',
    ]);
  });

  it('must repeat its id, and may not send what is not its own', async () => {
    const made = await registered(app);
    const { publicJwk } = await aKeyPair();
    const refused: Record<string, unknown>[] = [
      { client_id: undefined },
      { client_id: 'other' },
      { client_secret: 'wrong' },
      { client_secret: 7 },
      { registration_access_token: made.registration_access_token },
      { registration_client_uri: made.registration_client_uri },
      { client_id_issued_at: 0 },
      { client_secret_expires_at: 0 },
      { jwks: { keys: [publicJwk] }, jwks_uri: 'https://keys.acme-agents.dev/jwks' },
    ];
    for (const members of refused)
      expect((await change(made, members)).body).toMatchObject({ error: 'invalid_client_metadata' });
    for (const body of [[], 'x', null]) expect((await manage(app, made, 'PUT', body)).status).toBe(400);
  });

  it('changes nothing where registration is closed, and no redirect that is not approved', async () => {
    const made = await registered(app);
    await app.admin('PATCH', '/admin/settings/dcr', { mode: 'admin_only' });
    expect((await change(made, {})).body.error).toBe('access_denied');
    expect((await manage(app, made, 'GET')).status).toBe(200);
    await app.admin('PATCH', '/admin/settings/dcr', { mode: 'approved_redirects' });
    expect((await change(made, { redirect_uris: ['https://evil.example/cb'] })).body.error).toBe(
      'invalid_redirect_uri',
    );
    await app.admin('PATCH', '/admin/settings/dcr', { mode: 'open' });
  });

  it('is counted as those who register', async () => {
    const limited = await startTestApp({ settings: { DCR_RATE_LIMIT_BURST: '3' }, beside: app });
    const made = await registered(app);
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) statuses.push((await manage(limited, made, 'GET')).status);
    await limited.close();
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });
});
