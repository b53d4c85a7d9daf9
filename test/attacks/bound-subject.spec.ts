import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import {
  aGrantedCode,
  aResource,
  audited,
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
  letActAs,
  letExchange,
  outcome,
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

const exchange = (acting: ClientFixture, proof?: string): Promise<TokenResponse> => {
  const form = { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN, resource: target.uri };
  return askWith(app, proof, form, acting);
};

/** Why the last exchange was refused. */
const reason = async (): Promise<unknown> => (await audited(app, 'token.exchange_denied'))[0]?.['reason'];
const issued = async ({ id }: ClientFixture): Promise<number> =>
  (await app.sql('select from issuances where client_id = $1', [id])).length;

describe('a subject token that is bound to a key', () => {
  it('is worth nothing to its own client without that key', async () => {
    expect(claimsOf(token).cnf).toEqual({ jkt: key.jkt });
    const before = await issued(client);
    expect(outcome(await exchange(client))).toEqual([400, 'invalid_dpop_proof']);
    expect(await reason()).toBe('dpop_missing');
    expect(outcome(await exchange(client, await aProof(app, await aKey())))).toEqual([400, 'invalid_grant']);
    expect(await reason()).toBe('key_mismatch');
    expect(await issued(client)).toBe(before);
    const { status, body } = await exchange(client, await aProof(app, key));
    expect([status, body.token_type, claimsOf(body.access_token).cnf]).toEqual([200, 'DPoP', { jkt: key.jkt }]);
  });

  it('is worth nothing to a client it was not shown to, with whatever key', async () => {
    const thief = await anAgent(app);
    await letExchange(app, target, client, thief);
    for (const proof of [undefined, await aProof(app, await aKey())]) {
      expect(outcome(await exchange(thief, proof))).toEqual([403, 'access_denied']);
    }
    const [row] = await app.sql(`select reason from audit_events where client_id = $1 order by id desc limit 1`, [
      thief.id,
    ]);
    expect(row).toEqual({ reason: 'bound_subject_not_audience' });
    expect(await app.sql('select jti from issuances where client_id = $1', [thief.id])).toEqual([]);
  });

  it('may be exchanged by who acts as its audience, which never holds the key; its own proof binds what it gets', async () => {
    const server = await anAgent(app);
    await letActAs(app, source, server);
    await letExchange(app, target, client, server);
    const bearer = await exchange(server);
    expect([bearer.status, bearer.body.token_type]).toEqual([200, 'Bearer']);
    const own = await aKey();
    const { body } = await exchange(server, await aProof(app, own));
    expect([body.token_type, claimsOf(body.access_token).cnf]).toEqual(['DPoP', { jkt: own.jkt }]);
  });

  it('is not washed into a Bearer token where its resource, the target or the acting client asks for proofs', async () => {
    const [server, strict] = [await anAgent(app), await anAgent(app, { dpop_bound_access_tokens: true })];
    await letActAs(app, source, server, strict);
    await letExchange(app, target, client, server, strict);
    const path = (resource: ResourceFixture): string => `/admin/resources/${resource.id}`;
    const refusedWithoutProof = async (acting: ClientFixture): Promise<void> => {
      expect(outcome(await exchange(acting))).toEqual([400, 'invalid_dpop_proof']);
      expect(await reason()).toBe('dpop_missing');
      expect(await issued(acting)).toBe(0);
    };
    await refusedWithoutProof(strict);
    for (const resource of [source, target]) {
      await app.admin('PATCH', path(resource), { dpop_required: true });
      await refusedWithoutProof(server);
      await app.admin('PATCH', path(resource), { dpop_required: false });
    }
    await app.admin('PATCH', path(source), { dpop_required: true });
    expect((await exchange(server, await aProof(app, await aKey()))).body.token_type).toBe('DPoP');
    await app.admin('PATCH', path(source), { dpop_required: false });
  });
});
