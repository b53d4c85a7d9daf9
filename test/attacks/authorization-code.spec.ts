import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  aResource,
  audited,
  introspect,
  pkce,
  redeem,
  refresh,
} from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const familiesOf = (clientId: string): Promise<unknown[]> =>
  app.sql('select id from families where client_id = $1', [clientId]);
const refusal = async (): Promise<unknown> => (await audited(app, 'token.issue_denied'))[0];

describe('a code in the wrong hands', () => {
  it('[B18] is refused a second time; with the right verifier its family and access tokens are dead at once', async () => {
    const granted = await aGrantedCode(await aFlow(app));
    const server = await aConfidentialClient(app);
    await app.admin('POST', `/admin/resources/${granted.resource.slug}/policy/runtime/client-ids`, {
      client_id: server.id,
    });
    const { body: tokens } = await redeem(granted);
    expect(await introspect(app, tokens.access_token, server)).toMatchObject({ active: true });

    const replayed = await redeem(granted);
    expect(replayed.status).toBe(400);
    expect(replayed.body).toMatchObject({
      error: 'invalid_grant',
      error_description: 'authorization code has already been used or has expired',
    });
    expect(await refusal()).toMatchObject({ reason: 'code_replayed_verified', client_id: granted.client.id });
    expect((await audited(app, 'auth_code.reused'))[0]).toMatchObject({ detail: { verifier: 'valid' } });
    expect(await introspect(app, tokens.access_token, server)).toEqual({ active: false });
    expect((await refresh(granted, tokens.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('[B18] cannot end the family without the verifier', async () => {
    const granted = await aGrantedCode(await aFlow(app));
    const { body: tokens } = await redeem(granted);
    const replayed = await redeem({ ...granted, verifier: pkce().verifier });
    expect(replayed.body.error_description).toBe('authorization code has already been used or has expired');
    expect(await refusal()).toMatchObject({ reason: 'code_replayed_unverified' });
    expect((await refresh(granted, tokens.refresh_token)).status).toBe(200);
  });

  it('[B18] is of no use to another client, and stays good for its own', async () => {
    const granted = await aGrantedCode(await aFlow(app));
    const thief = await aClient(app);
    const { status, body } = await redeem({ ...granted, client: thief });
    expect([status, body.error_description]).toEqual([400, 'authorization code has already been used or has expired']);
    expect(await refusal()).toMatchObject({ reason: 'code_of_another_client', client_id: thief.id });
    expect(await familiesOf(thief.id)).toEqual([]);
    expect((await redeem(granted)).status).toBe(200);
  });

  it.each([
    ['another verifier', { code_verifier: pkce().verifier }, 'PKCE verification failed', 'verifier_mismatch'],
    ['a verifier that is none', { code_verifier: 'short' }, 'PKCE verification failed', 'verifier_malformed'],
    ['no verifier', { code_verifier: '' }, 'code_verifier is required', 'parameter_missing'],
    [
      'another redirect_uri',
      { redirect_uri: 'https://client.example/callback/' },
      'redirect_uri does not match the authorization request',
      'redirect_mismatch',
    ],
  ])('[B5 B6] with %s is refused and not spent', async (_, change, description, reason) => {
    const granted = await aGrantedCode(await aFlow(app));
    const { status, body } = await redeem(granted, change);
    expect([status, body.error_description]).toEqual([400, description]);
    expect(await refusal()).toMatchObject({ reason });
    expect((await redeem(granted)).status).toBe(200);
  });

  it('[8707.2] for another resource is invalid_target and not spent', async () => {
    const granted = await aGrantedCode(await aFlow(app));
    const other = await aResource(app);
    expect((await redeem(granted, { resource: other.uri })).body).toMatchObject({
      error: 'invalid_target',
      error_description: 'resource was not granted',
    });
    const near = await redeem(granted, { resource: `${granted.resource.uri}/` });
    expect(near.body.error_description).toBe(`resource is not registered; registered as ${granted.resource.uri}`);
    expect((await redeem(granted, { resource: granted.resource.uri })).status).toBe(200);
  });

  it('is refused when it is older than ten minutes', async () => {
    const granted = await aGrantedCode(await aFlow(app));
    app.clock.advance(601);
    const { body } = await redeem(granted);
    expect(body.error_description).toBe('authorization code has already been used or has expired');
    expect(await refusal()).toMatchObject({ reason: 'code_expired' });
  });

  it('is refused after a guess, a change of one character, and nonsense', async () => {
    const granted = await aGrantedCode(await aFlow(app));
    const flipped = granted.code.slice(0, -2) + (granted.code.at(-2) === 'A' ? 'B' : 'A') + granted.code.at(-1);
    for (const code of [
      flipped,
      'ap_ac_',
      `${granted.code}x`,
      'x'.repeat(5000),
      granted.code.replace('ap_ac_', 'ap_se_'),
    ]) {
      expect((await redeem({ ...granted, code })).body.error).toBe('invalid_grant');
    }
    expect((await redeem(granted)).status).toBe(200);
  });

  it('is worth nothing once the person has withdrawn the consent, or was disabled', async () => {
    const withdrawn = await aGrantedCode(await aFlow(app));
    const [consent] = await app.sql<{ id: string }>('select id from consents where user_id = $1', [withdrawn.user.id]);
    await app.admin('DELETE', `/admin/grants/consent/${consent!.id}`);
    expect((await redeem(withdrawn)).body).toMatchObject({ error: 'invalid_grant' });
    expect(await refusal()).toMatchObject({ reason: 'consent_withdrawn' });

    const disabled = await aGrantedCode(await aFlow(app));
    await app.admin('PATCH', `/admin/users/${disabled.user.id}/disable`);
    expect((await redeem(disabled)).body).toMatchObject({ error: 'invalid_grant' });
    expect(await refusal()).toMatchObject({ reason: 'user_disabled' });
    expect(await familiesOf(disabled.client.id)).toEqual([]);
  });
});
