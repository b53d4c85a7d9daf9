import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aResource, audited, introspect, postForm } from '../builders.js';
import {
  ACCESS_TOKEN,
  allowed,
  anAgent,
  claimsOf,
  exchange,
  letActAs,
  letExchange,
  outcome,
  startExchangingApp,
  started,
} from '../exchanges.js';

let app: TestApp;
let narrowing: TestApp;
beforeAll(async () => {
  app = await startExchangingApp();
  narrowing = await startTestApp({
    beside: app,
    settings: { TOKEN_EXCHANGE_ENABLED: 'true', TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true' },
  });
});
afterAll(async () => {
  await narrowing.close();
  await app.close();
});

describe('token exchange', () => {
  it('[X1 X4] gives a token for the resource named, for the same person, and says what it is', async () => {
    const at = await started(app);
    const target = await aResource(app);
    await allowed(at, target);
    const { status, headers, body } = await exchange(app, at.client, at.token, { resource: target.uri });
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(body).toEqual({
      access_token: expect.any(String),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: 'notes:read notes:write',
    });
    const [before, after] = [claimsOf(at.token), claimsOf(body.access_token)];
    expect(after).toMatchObject({ sub: at.user.id, aud: [target.uri], client_id: at.client.id });
    expect([after.act, after.exp]).toEqual([undefined, before.exp]);
    const [row] = await app.sql('select * from issuances where jti = $1', [after.jti]);
    expect(row).toMatchObject({ parent_jti: before.jti, ancestors: [before.jti], consent_client_id: at.client.id });
  });

  it('[X6 X8] tells who acts whenever it is another client, with an actor token or without', async () => {
    const at = await started(app);
    const [target, gateway] = await Promise.all([aResource(app), anAgent(app)]);
    await allowed(at, target);
    await letExchange(app, target, gateway);
    const plain = await exchange(app, gateway, at.token, { resource: target.uri, scope: 'notes:read' });
    const act = { sub: gateway.id, actor_type: 'service' };
    expect(claimsOf(plain.body.access_token)).toMatchObject({
      client_id: gateway.id,
      sub: at.user.id,
      scope: 'notes:read',
      act,
      agent_chain: [at.client.id, gateway.id],
    });
    expect((await audited(app, 'token.exchanged'))[0]).toMatchObject({
      client_id: gateway.id,
      actor_id: at.user.id,
      detail: {
        jti: claimsOf(plain.body.access_token).jti,
        sub: at.user.id,
        subject_client: at.client.id,
        actor_client: gateway.id,
        type: 'mint_dispatch',
        chain_kind: 'direct',
        resource: target.slug,
        scopes: ['notes:read'],
        act,
      },
    });
    expect(await introspect(app, plain.body.access_token, gateway)).toMatchObject({
      active: true,
      act,
      agent_chain: [at.client.id, gateway.id],
    });
    const actorToken = await started(app, { client: gateway });
    const delegated = await exchange(app, gateway, at.token, {
      resource: target.uri,
      actor_token: actorToken.token,
      actor_token_type: ACCESS_TOKEN,
    });
    expect(claimsOf(delegated.body.access_token).act).toEqual(act);
  });

  it('narrows a token for its own audience where that is switched on', async () => {
    const at = await started(app);
    expect(outcome(await exchange(app, at.client, at.token, { scope: 'notes:read' }))).toEqual([403, 'access_denied']);
    const { body } = await exchange(narrowing, at.client, at.token, { scope: 'notes:read' });
    expect(claimsOf(body.access_token)).toMatchObject({ aud: [at.resource.uri], scope: 'notes:read' });
    expect(claimsOf(body.access_token).act).toBeUndefined();
    const other = await anAgent(app);
    expect(outcome(await exchange(narrowing, other, at.token))).toEqual([403, 'access_denied']);
    const wider = await exchange(narrowing, at.client, body.access_token, { scope: 'notes:read notes:write' });
    expect(outcome(wider)).toEqual([400, 'invalid_scope']);
  });

  it('grants what was asked for, within what the token, the target and the client allow', async () => {
    const client = await anAgent(app, { scope: 'notes:read notes:write files:read' });
    const at = await started(app, { client });
    const target = await aResource(app, { scopes: [{ name: 'notes:read' }, { name: 'files:read' }] });
    await allowed(at, await aResource(app));
    const ask = (more = {}) => exchange(app, client, at.token, { resource: target.uri, ...more });
    expect(outcome(await ask({ scope: 'notes:write' }))).toEqual([400, 'invalid_scope']);
    expect(outcome(await ask({ scope: 'files:read' }))).toEqual([400, 'invalid_scope']);
    expect(outcome(await ask())).toEqual([400, 'consent_required']);
    const nothing = await aResource(app, { scopes: [{ name: 'else' }] });
    expect(outcome(await exchange(app, client, at.token, { resource: nothing.uri }))).toEqual([400, 'invalid_scope']);
  });

  it('lets a machine hand on its token only to clients that the target names', async () => {
    const machine = await anAgent(app, { scope: 'notes:read' });
    const [gateway, source, target] = await Promise.all([anAgent(app), aResource(app), aResource(app)]);
    const form = { grant_type: 'client_credentials', resource: source.uri };
    const { body } = await postForm(app, '/oauth/token', form, machine);
    const ask = () => exchange(app, gateway, body.access_token, { resource: target.uri });
    expect(outcome(await ask())).toEqual([403, 'access_denied']);
    await letExchange(app, target, gateway);
    const answer = await ask();
    expect(claimsOf(answer.body.access_token)).toMatchObject({ sub: machine.id, act: { sub: gateway.id } });
    await letActAs(app, target, gateway);
    expect(await introspect(app, answer.body.access_token, gateway)).toMatchObject({ active: true, sub: machine.id });
  });

  it('[X2 X5] refuses what it does not know, by the code for it', async () => {
    const at = await started(app);
    const ask = async (more: Record<string, string>) => outcome(await exchange(app, at.client, at.token, more));
    const { uri: resource } = at.resource;
    const idToken = 'urn:ietf:params:oauth:token-type:id_token';
    expect(await ask({ resource, subject_token_type: idToken })).toEqual([400, 'invalid_request']);
    expect(await ask({ resource, requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' })).toEqual([
      400,
      'invalid_request',
    ]);
    expect(await ask({ resource, actor_token: at.token })).toEqual([400, 'invalid_request']);
    expect(await ask({ resource, actor_token_type: ACCESS_TOKEN })).toEqual([400, 'invalid_request']);
    expect(await ask({ resource, actor_token: at.token, actor_token_type: idToken })).toEqual([400, 'invalid_request']);
    expect(await ask({ resource, subject_token_type: '' })).toEqual([400, 'invalid_request']);
    expect(await ask({ resource, audience: 'https://elsewhere.example' })).toEqual([400, 'invalid_target']);
    expect(await ask({ resource: 'https://elsewhere.example' })).toEqual([400, 'invalid_target']);
    expect(await ask({ resource, audience: resource })).toEqual([200, 'notes:read notes:write']);
    expect(await ask({ resource, requested_token_type: ACCESS_TOKEN })).toEqual([200, 'notes:read notes:write']);
  });

  it('is off unless it is switched on, and the refusal names the setting', async () => {
    const off = await startTestApp({ beside: app });
    const { status, body } = await exchange(off, await anAgent(app), 'any');
    expect([status, body.error]).toEqual([400, 'unsupported_grant_type']);
    expect(body.error_description).toContain('(token_exchange.enabled)');
    await off.close();
  });

  it('is done by oauth4webapi with every check it has', async () => {
    const plainHttp = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(app.issuer);
    const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp });
    const as = await oauth.processDiscoveryResponse(issuer, discovered);
    const at = await started(app);
    const client = { client_id: at.client.id };
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      oauth.ClientSecretBasic(at.client.secret!),
      'urn:ietf:params:oauth:grant-type:token-exchange',
      { subject_token: at.token, subject_token_type: ACCESS_TOKEN, resource: at.resource.uri, scope: 'notes:read' },
      plainHttp,
    );
    expect(await oauth.processGenericTokenEndpointResponse(as, client, response)).toMatchObject({
      scope: 'notes:read',
      issued_token_type: ACCESS_TOKEN,
    });
  });
});
