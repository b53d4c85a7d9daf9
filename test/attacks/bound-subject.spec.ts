import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import {
  aGrantedCode,
  aResource,
  aUser,
  type ClientFixture,
  type ResourceFixture,
  type TokenResponse,
} from '../builders.js';
import { aKey, aProof, askWith, type ProofKey } from '../dpop.js';
import {
  ACCESS_TOKEN,
  anAgent,
  claimsOf,
  EXCHANGE,
  expectRefused,
  letActAs,
  letExchange,
  startExchangingApp,
} from '../exchanges.js';

let app: TestApp;
let client: ClientFixture;
let source: ResourceFixture;
let target: ResourceFixture;
let key: ProofKey;
let token: string;

beforeAll(async () => {
  app = await startExchangingApp();
  const user = await aUser(app);
  [client, source, target, key] = await Promise.all([anAgent(app), aResource(app), aResource(app), aKey()]);
  token = (await bound({ resource: source })).body.access_token;
  await bound({ resource: target });

  async function bound({ resource }: { resource: ResourceFixture }): Promise<TokenResponse> {
    const { code, verifier } = await aGrantedCode({ app, client, user, resource });
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier };
    return askWith(app, await aProof(app, key), form, client);
  }
});
afterAll(() => app.close());

const exchange = (acting: ClientFixture, proof?: string, more = {}): Promise<TokenResponse> => {
  const form = { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN, resource: target.uri };
  return askWith(app, proof, { ...form, ...more }, acting);
};

const refuses = (attack: () => Promise<TokenResponse>, ...told: [number, string, string]): Promise<TokenResponse> =>
  expectRefused(app, attack, told);

describe('a subject token that is bound to a key', () => {
  it('is worth nothing to its own client without that key', async () => {
    expect(claimsOf(token).cnf).toEqual({ jkt: key.jkt });
    await refuses(() => exchange(client), 400, 'invalid_dpop_proof', 'dpop_missing');
    const other = await aProof(app, await aKey());
    await refuses(() => exchange(client, other), 400, 'invalid_grant', 'key_mismatch');
    const { status, body } = await exchange(client, await aProof(app, key));
    expect([status, body.token_type, claimsOf(body.access_token).cnf]).toEqual([200, 'DPoP', { jkt: key.jkt }]);
  });

  it('is worth nothing to a client it was not shown to, with whatever key', async () => {
    const thief = await anAgent(app);
    await letExchange(app, target, client, thief);
    for (const proof of [undefined, await aProof(app, await aKey())])
      await refuses(() => exchange(thief, proof), 403, 'access_denied', 'bound_subject_not_audience');
    expect(await app.sql('select jti from issuances where client_id = $1', [thief.id])).toEqual([]);
  });

  it('may be exchanged by who acts as its audience, which never holds the key; its own proof binds what it gets', async () => {
    const server = await aServer();
    const bearer = await exchange(server);
    expect([bearer.status, bearer.body.token_type]).toEqual([200, 'Bearer']);
    const own = await aKey();
    const { body } = await exchange(server, await aProof(app, own));
    expect([body.token_type, claimsOf(body.access_token).cnf]).toEqual(['DPoP', { jkt: own.jkt }]);
  });

  it('does not become a Bearer token where its resource, the target or the client wants a key', async () => {
    const server = await aServer();
    const bare = () => exchange(server);
    for (const { id } of [source, target]) {
      await app.admin('PATCH', `/admin/resources/${id}`, { dpop_required: true });
      await refuses(bare, 400, 'invalid_dpop_proof', 'dpop_missing');
      expect((await exchange(server, await aProof(app, await aKey()))).body.token_type).toBe('DPoP');
      await app.admin('PATCH', `/admin/resources/${id}`, { dpop_required: false });
    }
    expect((await bare()).status).toBe(200);
    await app.admin('PATCH', `/admin/clients/${server.id}`, { dpop_bound_access_tokens: true });
    await refuses(bare, 400, 'invalid_dpop_proof', 'dpop_missing');
  });

  it('proves nothing as an actor token without its key', async () => {
    const server = await aServer();
    const own = await aKey();
    const actor = (await exchange(server, await aProof(app, own))).body.access_token;
    const ask = (proof?: string) => () =>
      exchange(server, proof, { actor_token: actor, actor_token_type: ACCESS_TOKEN });
    await refuses(ask(), 400, 'invalid_dpop_proof', 'dpop_missing');
    await refuses(ask(await aProof(app, await aKey())), 400, 'invalid_grant', 'key_mismatch');
    expect((await ask(await aProof(app, own))()).status).toBe(200);
  });
});

/** A client that acts as the resource of the token, and may exchange for the target. */
async function aServer(): Promise<ClientFixture> {
  const server = await anAgent(app);
  await letActAs(app, source, server);
  await letExchange(app, target, client, server);
  return server;
}
