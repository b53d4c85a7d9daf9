import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  aResource,
  audited,
  aUser,
  introspect,
  refresh,
  tokensOf,
  type Flow,
} from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const aConfidentialFlow = async (): Promise<Flow> => ({
  app,
  client: await aConfidentialClient(app),
  user: await aUser(app),
  resource: await aResource(app),
});

async function withdrawConsents(userId: string): Promise<void> {
  const rows = await app.sql<{ id: string }>('select id from consents where user_id = $1', [userId]);
  for (const { id } of rows) await app.admin('DELETE', `/admin/grants/consent/${id}`);
}

describe('refreshing', () => {
  it('[A10 B10 K4] gives a new access token and a new refresh token', async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    const { status, body } = await refresh(flow, tokens.refresh_token);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 900, scope: 'notes:read notes:write' });
    expect(body.refresh_token).not.toBe(tokens.refresh_token);
    expect(body.access_token).not.toBe(tokens.access_token);
    expect((await audited(app, 'token.refreshed'))[0]).toMatchObject({
      client_id: flow.client.id,
      actor_id: flow.user.id,
    });
  });

  it('[B11] narrows on request without narrowing the family', async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    const narrow = await refresh(flow, tokens.refresh_token, { scope: 'notes:read' });
    expect(narrow.body.scope).toBe('notes:read');
    expect((await refresh(flow, narrow.body.refresh_token)).body.scope).toBe('notes:read notes:write');
  });

  it('[B11 8707.2] leaves the token unspent when scope or resource is refused', async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app), { scope: 'notes:read' });
    const other = await aResource(app);
    expect((await refresh(flow, tokens.refresh_token, { scope: 'notes:write' })).body.error).toBe('invalid_scope');
    expect((await refresh(flow, tokens.refresh_token, { resource: other.uri })).body.error).toBe('invalid_target');
    expect((await refresh(flow, tokens.refresh_token, { resource: flow.resource.uri })).status).toBe(200);
  });

  it("follows the client's ceiling and the resource's catalogue as they are now", async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    await app.admin('PATCH', `/admin/clients/${flow.client.id}`, { scope: 'notes:read' });
    const narrowed = await refresh(flow, tokens.refresh_token);
    expect(narrowed.body.scope).toBe('notes:read');
    const refused = await refresh(flow, narrowed.body.refresh_token, { scope: 'notes:write' });
    expect(refused.body).toMatchObject({
      error: 'invalid_scope',
      error_description: 'scope notes:write exceeds what this client may request',
    });
  });

  it('[B11] ends after the sliding lifetime without use, and after the absolute one in any case', async () => {
    const day = 24 * 3600;
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    app.clock.advance(8 * day);
    expect((await refresh(flow, tokens.refresh_token)).body.error_description).toBe(
      'refresh token is invalid or expired',
    );

    let token = (await tokensOf(flow)).tokens.refresh_token;
    for (let week = 0; week < 14; week += 1) {
      app.clock.advance(6.5 * day);
      const { status, body } = await refresh(flow, token);
      if (week < 13) expect(status).toBe(200);
      else expect(body.error).toBe('invalid_grant');
      token = body.refresh_token;
    }
  });

  describe('again, after the answer was lost', () => {
    it('[K6] gives a confidential client the same answer within ten seconds, with the time that is left', async () => {
      const { tokens, ...flow } = await tokensOf(await aConfidentialFlow());
      const first = await refresh(flow, tokens.refresh_token);
      app.clock.advance(9);
      const second = await refresh(flow, tokens.refresh_token);
      expect(second.body).toEqual({ ...first.body, expires_in: expect.any(Number) });
      expect([890, 891]).toContain(second.body.expires_in); // nine seconds later, rounded down
      expect((await refresh(flow, second.body.refresh_token)).status).toBe(200);
      expect((await audited(app, 'token.refresh_repeated'))[0]).toMatchObject({ client_id: flow.client.id });
    });

    it('[K6] ends the family after the window', async () => {
      const { tokens, ...flow } = await tokensOf(await aConfidentialFlow());
      const { body } = await refresh(flow, tokens.refresh_token);
      app.clock.advance(11);
      expect((await refresh(flow, tokens.refresh_token)).body.error_description).toBe(
        'refresh token has already been used',
      );
      expect((await refresh(flow, body.refresh_token)).body.error_description).toBe(
        'token family revoked due to reuse detection',
      );
    });

    it('ends the family when the repetition asks for something else', async () => {
      const { tokens, ...flow } = await tokensOf(await aConfidentialFlow());
      await refresh(flow, tokens.refresh_token);
      const { body } = await refresh(flow, tokens.refresh_token, { scope: 'notes:read' });
      expect(body.error_description).toBe('refresh token has already been used');
    });

    it('ends the family when the successor was used already', async () => {
      const { tokens, ...flow } = await tokensOf(await aConfidentialFlow());
      const second = await refresh(flow, tokens.refresh_token);
      await refresh(flow, second.body.refresh_token);
      expect((await refresh(flow, tokens.refresh_token)).body.error_description).toBe(
        'refresh token has already been used',
      );
    });

    it('does not repeat it when what it stood on is gone, and spares the family', async () => {
      const gone: [string, (flow: Flow) => Promise<unknown>, string][] = [
        ['user', ({ user }) => app.admin('PATCH', `/admin/users/${user.id}/disable`), 'user_disabled'],
        ['consent', ({ user }) => withdrawConsents(user.id), 'consent_withdrawn'],
      ];
      for (const [what, act, reason] of gone) {
        const { tokens, ...flow } = await tokensOf(await aConfidentialFlow());
        await refresh(flow, tokens.refresh_token);
        await act(flow);
        const { status, body } = await refresh(flow, tokens.refresh_token);
        expect([status, body.error_description], what).toEqual([400, 'refresh token is invalid or expired']);
        const denied = await audited(app, 'token.refresh_denied');
        expect(denied.find(({ client_id }) => client_id === flow.client.id)).toMatchObject({ reason });
      }
    });

    it('[B10] never repeats an answer to a public client', async () => {
      const { tokens, ...flow } = await tokensOf(await aFlow(app));
      const { body } = await refresh(flow, tokens.refresh_token);
      expect((await refresh(flow, tokens.refresh_token)).body.error_description).toBe(
        'refresh token has already been used',
      );
      const caller = await aConfidentialClient(app);
      await app.admin('POST', `/admin/resources/${flow.resource.slug}/policy/runtime/client-ids`, {
        client_id: caller.id,
      });
      expect(await introspect(app, body.access_token, caller)).toEqual({ active: false });
    });
  });
});
