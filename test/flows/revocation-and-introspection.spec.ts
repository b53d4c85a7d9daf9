import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aResource,
  audited,
  introspect,
  postForm,
  refresh,
  tokensOf,
  type ClientFixture,
  type Flow,
} from '../builders.js';

let app: TestApp;
let server: ClientFixture;
beforeAll(async () => {
  app = await startTestApp();
  server = await aConfidentialClient(app);
});
afterAll(() => app.close());

/** A flow whose resource lets `server` look at its tokens. */
async function aWatchedFlow(): Promise<Flow> {
  const resource = await aResource(app, { policy: { runtime: { client_ids: [server.id] } } });
  return { ...(await aFlow(app)), resource };
}

const revoke = (client: ClientFixture, token: string) => postForm(app, '/oauth/revoke', { token }, client);

describe('revoking', () => {
  it('[7009.3] a refresh token ends its family, with the access tokens in it', async () => {
    const { tokens, ...flow } = await tokensOf(await aWatchedFlow());
    expect((await revoke(flow.client, tokens.refresh_token)).status).toBe(200);
    expect(await introspect(app, tokens.access_token, server)).toEqual({ active: false });
    expect((await refresh(flow, tokens.refresh_token)).body.error_description).toBe(
      'refresh token is invalid or expired',
    );
    expect((await audited(app, 'token.revoked'))[0]).toMatchObject({
      client_id: flow.client.id,
      actor_id: flow.user.id,
    });
  });

  it('an access token ends that token, and its family lives', async () => {
    const { tokens, ...flow } = await tokensOf(await aWatchedFlow());
    expect((await revoke(flow.client, tokens.access_token)).status).toBe(200);
    expect(await introspect(app, tokens.access_token, server)).toEqual({ active: false });
    expect((await refresh(flow, tokens.refresh_token)).status).toBe(200);
  });

  it("[7009.1 7009.2] another's or an unknown token is 200 without effect, and recorded", async () => {
    const { tokens, ...flow } = await tokensOf(await aWatchedFlow());
    const stranger = await aClient(app);
    for (const token of [tokens.access_token, tokens.refresh_token, 'nonsense', 'ap_rt_nonsense', 'a.b.c']) {
      expect((await revoke(stranger, token)).status).toBe(200);
    }
    expect((await audited(app, 'token.revoke_denied')).map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['token_of_another_client', 'unknown_token']),
    );
    expect(await introspect(app, tokens.access_token, server)).toMatchObject({ active: true });
    expect((await refresh(flow, tokens.refresh_token)).status).toBe(200);
  });

  it('[7009.1] needs a client', async () => {
    const { status, body } = await postForm(app, '/oauth/revoke', { token: 'x' });
    expect([status, body.error]).toEqual([401, 'invalid_client']);
  });
});

describe('introspecting', () => {
  it('tells the resource server what the token says', async () => {
    const { tokens, ...flow } = await tokensOf(await aWatchedFlow());
    expect(await introspect(app, tokens.access_token, server)).toEqual({
      active: true,
      scope: 'notes:read notes:write',
      client_id: flow.client.id,
      token_type: 'Bearer',
      exp: expect.any(Number),
      iat: expect.any(Number),
      nbf: expect.any(Number),
      sub: flow.user.id,
      aud: [flow.resource.uri],
      iss: app.issuer,
      jti: expect.any(String),
    });
  });

  it('[7662.3] tells nobody else anything', async () => {
    const { tokens } = await tokensOf(await aWatchedFlow());
    const stranger = await aConfidentialClient(app);
    expect(await introspect(app, tokens.access_token, stranger)).toEqual({ active: false });
    expect(await introspect(app, tokens.refresh_token, server)).toEqual({ active: false });
    expect((await audited(app, 'token.introspect_denied')).map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['caller_not_authorized_for_token', 'invalid_token']),
    );
  });

  it('[7662.1] is refused to public and unknown clients, with one public text', async () => {
    const { tokens } = await tokensOf(await aWatchedFlow());
    for (const caller of [await aClient(app), { id: 'nobody', redirectUri: '' }, { ...server, secret: 'wrong' }]) {
      const { status, body, headers } = await postForm(
        app,
        '/oauth/introspect',
        { token: tokens.access_token },
        caller,
      );
      expect([status, body.error, body.error_description]).toEqual([
        401,
        'invalid_client',
        'client authentication failed',
      ]);
      expect(headers.get('www-authenticate')).toBe('Basic realm="authserver"');
    }
  });

  it('[7662.2] answers exactly active: false for every token that is over', async () => {
    const over: [string, (flow: Flow) => Promise<unknown>][] = [
      ['user disabled', ({ user }) => app.admin('PATCH', `/admin/users/${user.id}/disable`)],
      ['client suspended', ({ client }) => app.admin('PATCH', `/admin/clients/${client.id}/suspend`)],
      ['forced logout', ({ user }) => app.admin('DELETE', `/admin/users/${user.id}/tokens`)],
      ['user deleted', ({ user }) => app.admin('DELETE', `/admin/users/${user.id}?force=true`)],
    ];
    for (const [what, act] of over) {
      const { tokens, ...flow } = await tokensOf(await aWatchedFlow());
      await act(flow);
      expect(await introspect(app, tokens.access_token, server), what).toEqual({ active: false });
    }
    for (const token of ['nonsense', 'a.b.c', `${'x'.repeat(16_000)}`]) {
      expect(await introspect(app, token, server)).toEqual({ active: false });
    }
  });

  it('[7662.2] a token is over when it has expired, by our clock', async () => {
    const { tokens } = await tokensOf(await aWatchedFlow());
    app.clock.advance(900);
    expect(await introspect(app, tokens.access_token, server)).toEqual({ active: false });
  });

  it('follows the signing key: a revoked key ends the tokens it signed', async () => {
    const { tokens } = await tokensOf(await aWatchedFlow());
    const { kid } = JSON.parse(Buffer.from(tokens.access_token.split('.')[0], 'base64url').toString());
    await app.admin('POST', '/admin/keys/rotate');
    expect(await introspect(app, tokens.access_token, server)).toMatchObject({ active: true });
    await app.admin('DELETE', `/admin/keys/${kid}`);
    expect(await introspect(app, tokens.access_token, server)).toEqual({ active: false });
  });

  it('shows a refresh token to its own client only', async () => {
    const client = await aConfidentialClient(app);
    const { tokens, user } = await tokensOf({ ...(await aWatchedFlow()), client });
    expect(await introspect(app, tokens.refresh_token, client)).toMatchObject({ active: true, sub: user.id });
  });
});

describe('withdrawing a consent', () => {
  it('ends every token under it, also of consents it superseded, and allowing again makes a new one', async () => {
    const flow = await aWatchedFlow();
    const first = await tokensOf(flow, { scope: 'notes:read' });
    const second = await tokensOf(flow, { scope: 'notes:read notes:write' });
    const [current] = await app.sql<{ id: string }>(
      'select id from consents where user_id = $1 and superseded_at is null',
      [flow.user.id],
    );
    expect((await app.admin('DELETE', `/admin/grants/consent/${current!.id}`)).status).toBe(204);
    for (const { tokens } of [first, second]) {
      expect(await introspect(app, tokens.access_token, server)).toEqual({ active: false });
      expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_grant');
    }
    const third = await tokensOf(flow, { scope: 'notes:read' });
    expect(await introspect(app, third.tokens.access_token, server)).toMatchObject({ active: true });
    expect(await introspect(app, first.tokens.access_token, server)).toEqual({ active: false });
  });
});
