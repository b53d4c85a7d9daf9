import { createHmac } from 'node:crypto';
import { exportJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  audited,
  type ClientFixture,
  type Flow,
  type GrantedCode,
  type TokenResponse,
} from '../builders.js';
import { aKey, aProof, askWith, type ProofKey } from '../dpop.js';
import { rawRequest } from '../raw-request.js';

const FORM = { grant_type: 'client_credentials' };

let app: TestApp;
let key: ProofKey;
let client: ClientFixture;
beforeAll(async () => {
  app = await startTestApp({ settings: { CLIENT_CREDENTIALS_ENABLED: 'true' } });
  key = await aKey();
  client = await aConfidentialClient(app, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a b' });
});
afterAll(() => app.close());

const proof = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> =>
  aProof(app, key, claims, header);
const now = (): number => Math.floor(app.clock.now().getTime() / 1000);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const issuedTo = async ({ id }: ClientFixture): Promise<number> =>
  (await app.sql('select from issuances where client_id = $1', [id])).length;

/** That a request with this proof is refused for this reason, and that nothing was issued. */
async function expectRefused(sent: string, description: string, reason: string): Promise<void> {
  const before = await issuedTo(client);
  const { status, body } = await askWith(app, sent, FORM, client);
  expect([status, body.error, body.error_description]).toEqual([400, 'invalid_dpop_proof', description]);
  expect((await audited(app, 'client_credentials.denied'))[0]).toMatchObject({ reason, client_id: client.id });
  expect(await issuedTo(client)).toBe(before);
}

describe('[D7] a proof that proves nothing is refused, and nothing is issued', () => {
  it('[D16] sent a second time', async () => {
    const sent = await proof();
    expect((await askWith(app, sent, FORM, client)).status).toBe(200);
    await expectRefused(sent, 'jti already used', 'dpop_replay');
  });

  it('[D16] sent many times at once: one gets through', async () => {
    const sent = await proof();
    const answers = await Promise.all(Array.from({ length: 20 }, () => askWith(app, sent, FORM, client)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('[D16] with an iat ahead, again when a memory of one lifetime would have lost it', async () => {
    const sent = await proof({ iat: now() + 59 });
    expect((await askWith(app, sent, FORM, client)).status).toBe(200);
    for (const seconds of [61, 57]) {
      app.clock.advance(seconds);
      await expectRefused(sent, 'jti already used', 'dpop_replay');
    }
    app.clock.advance(2);
    await expectRefused(sent, 'iat outside the allowed window', 'dpop_iat');
  });

  it('[D2] made for another URL, also one that the Host header names', async () => {
    for (const htu of [
      'https://evil.example/oauth/token',
      `${app.issuer}/oauth/revoke`,
      `${app.issuer}/oauth/token/`,
    ]) {
      await expectRefused(await proof({ htu }), 'htu does not match', 'dpop_htu');
    }
    const answer = await rawRequest(app.url, '/oauth/token', {
      method: 'POST',
      headers: {
        host: '127.0.0.1:9999',
        'x-forwarded-host': '127.0.0.1:9999',
        dpop: await proof({ htu: 'http://127.0.0.1:9999/oauth/token' }),
        authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams(FORM).toString(),
    });
    expect([answer.status, answer.body.error_description]).toEqual([400, 'htu does not match']);
    expect(
      app.logged.some((line) => line.includes('127.0.0.1:9999/oauth/token') && line.includes('server.issuer')),
    ).toBe(true);
  });

  it('[D2] made for another method', async () => {
    for (const htm of ['GET', 'post']) await expectRefused(await proof({ htm }), 'htm does not match', 'dpop_htm');
  });

  it('[D3] stale or from the future', async () => {
    for (const iat of [now() - 61, now() + 61, 0, 1e20]) {
      await expectRefused(await proof({ iat }), 'iat outside the allowed window', 'dpop_iat');
    }
  });

  it('[D1 D18] signed with HMAC, with nothing, or by another key than the one it shows', async () => {
    const body = encode({ jti: 'x', htm: 'POST', htu: `${app.issuer}/oauth/token`, iat: now() });
    const head = (alg: string): string => encode({ typ: 'dpop+jwt', alg, jwk: key.publicJwk });
    const mac = createHmac('sha256', JSON.stringify(key.publicJwk))
      .update(`${head('HS256')}.${body}`)
      .digest('base64url');
    await expectRefused(`${head('HS256')}.${body}.${mac}`, 'proof header is invalid', 'dpop_header');
    await expectRefused(`${head('none')}.${body}.`, 'proof header is invalid', 'dpop_header');
    const { publicJwk } = await aKey();
    await expectRefused(await proof({}, { jwk: publicJwk }), 'proof signature is invalid', 'dpop_signature');
  });

  it('[D1] with a private key in its header', async () => {
    const jwk = await exportJWK(key.privateKey);
    await expectRefused(await proof({}, { jwk }), 'proof header is invalid', 'dpop_header');
    expect(app.logged.some((line) => line.includes(jwk.d!))).toBe(false);
  });

  it('[D18] that is another signed JWT: its typ tells', async () => {
    for (const typ of ['JWT', 'at+jwt', undefined]) {
      await expectRefused(await proof({}, { typ }), 'proof header is invalid', 'dpop_header');
    }
  });

  it('[D1] beside a second one, in two headers or in one', async () => {
    const two = [await proof(), await proof()];
    const before = await issuedTo(client);
    const answer = await rawRequest(app.url, '/oauth/token', {
      method: 'POST',
      headers: {
        dpop: two,
        authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams(FORM).toString(),
    });
    expect([answer.status, answer.body.error, answer.body.error_description]).toEqual([
      400,
      'invalid_dpop_proof',
      'proof header is invalid',
    ]);
    expect((await audited(app, 'client_credentials.denied'))[0]).toMatchObject({
      reason: 'dpop_header',
      detail: { headers: 2 },
    });
    expect(await issuedTo(client)).toBe(before);
    await expectRefused(two.join(', '), 'proof header is invalid', 'dpop_header');
    for (const sent of two) expect((await askWith(app, sent, FORM, client)).status).toBe(200);
  });

  it('[D16] without a jti, or with a jti or nonce that is empty, too long or no text', async () => {
    const wrong = [{ jti: undefined }, { jti: '' }, { jti: 'a'.repeat(257) }, { nonce: 7 }, { nonce: '' }];
    for (const claims of wrong)
      await expectRefused(await proof(claims), 'jti or nonce in the proof is malformed', 'dpop_claims');
  });

  it('[D19] without the secret of the client: a key does not authenticate', async () => {
    const sent = await proof();
    const { status, body, headers } = await askWith(app, sent, FORM, { ...client, secret: 'wrong' });
    expect([status, body.error, headers.get('dpop-nonce')]).toEqual([401, 'invalid_client', null]);
    expect((await audited(app, 'client_credentials.denied'))[0]).toMatchObject({ reason: 'secret_mismatch' });
    // Nobody who does not know the secret can use up a proof of the client.
    expect((await askWith(app, sent, FORM, client)).status).toBe(200);
  });
});

describe('a bad proof beside something good', () => {
  it('burns no code, no refresh token and no other proof', async () => {
    const flow = await aFlow(app);
    const { code, verifier } = await aGrantedCode(flow);
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier };
    const bad = [{ htu: 'https://evil.example/' }, { iat: now() - 61 }, { nonce: 'made-up' }, { htm: 'GET' }];
    for (const claims of bad) expect((await askWith(app, await proof(claims), form, flow.client)).status).toBe(400);
    const { status, body } = await askWith(app, await proof(), form, flow.client);
    expect(status).toBe(200);
    const again = { grant_type: 'refresh_token', refresh_token: body.refresh_token };
    for (const claims of bad) expect((await askWith(app, await proof(claims), again, flow.client)).status).toBe(400);
    expect((await askWith(app, await proof(), again, flow.client)).status).toBe(200);
  });

  it('claims no jti: a proof by the same key under the same jti that is in order counts', async () => {
    const jti = 'said-twice';
    for (const claims of [{ htu: 'https://evil.example/' }, { iat: now() + 61 }, { nonce: 'made-up' }])
      expect((await askWith(app, await proof({ jti, ...claims }), FORM, client)).status).toBe(400);
    expect((await askWith(app, await proof({ jti }), FORM, client)).status).toBe(200);
    await expectRefused(await proof({ jti }), 'jti already used', 'dpop_replay');
    expect((await askWith(app, await aProof(app, await aKey(), { jti }), FORM, client)).status).toBe(200);
  });

  it('is told a nonce when it carried a proof, whatever came of it; a request without one never is', async () => {
    const nonceOf = async (sent?: string) => (await askWith(app, sent, FORM, client)).headers.get('dpop-nonce');
    expect(await nonceOf(await proof({ htu: 'https://evil.example/' }))).toMatch(/^[\w-]{43}$/);
    expect(await nonceOf('nonsense')).toMatch(/^[\w-]{43}$/);
    expect(await nonceOf()).toBeNull();
    const refused = await askWith(app, undefined, { grant_type: 'authorization_code', code: 'x' }, client);
    expect([refused.status, refused.headers.get('dpop-nonce')]).toEqual([400, null]);
  });
});

describe('[D17] the nonce', () => {
  let strict: TestApp;
  beforeAll(async () => {
    strict = await startTestApp({
      beside: app,
      clock: app.clock,
      settings: { CLIENT_CREDENTIALS_ENABLED: 'true', DPOP_REQUIRE_NONCE: 'true' },
    });
  });
  afterAll(() => strict.close());

  const asked = async (nonce?: unknown): Promise<TokenResponse> =>
    askWith(strict, await proof(nonce === undefined ? {} : { nonce }), FORM, client);

  it('[D3 D12] cannot be left out where it is wanted, is good for two slots, and made up it is worth nothing', async () => {
    const first = await asked();
    expect([first.status, first.body.error, first.body.error_description]).toEqual([
      400,
      'use_dpop_nonce',
      'a server nonce is required in the DPoP proof',
    ]);
    expect(first.headers.get('cache-control')).toBe('no-store');
    const nonce = first.headers.get('dpop-nonce')!;
    expect((await asked(nonce)).status).toBe(200);
    app.clock.advance(60);
    expect((await asked(nonce)).status).toBe(200);
    expect((await asked()).body.error).toBe('use_dpop_nonce');
    app.clock.advance(60);
    for (const wrong of [nonce, 'a'.repeat(43), 'x']) expect((await asked(wrong)).body.error).toBe('use_dpop_nonce');
    expect((await audited(app, 'client_credentials.denied'))[0]).toMatchObject({ reason: 'dpop_nonce_stale' });
  });

  it('is asked for before the jti is claimed', async () => {
    const sent = await proof();
    expect((await askWith(strict, sent, FORM, client)).body.error).toBe('use_dpop_nonce');
    expect((await askWith(app, sent, FORM, client)).status).toBe(200);
  });

  it('that is wrong is refused where none is wanted, too', async () => {
    const { body } = await askWith(app, await proof({ nonce: 'made-up' }), FORM, client);
    expect(body.error).toBe('use_dpop_nonce');
  });
});

describe('[D14] a stolen code that is bound by dpop_jkt', () => {
  it('is worth nothing without the key, and trying neither spends it nor issues anything', async () => {
    const flow = await aFlow(app);
    const { code, verifier } = await aGrantedCode(flow, { dpop_jkt: key.jkt });
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier };
    const reasons: unknown[] = [];
    for (const sent of [undefined, await aProof(app, await aKey())]) {
      expect((await askWith(app, sent, form, flow.client)).status).toBe(400);
      reasons.push((await audited(app, 'token.issue_denied'))[0]?.['reason']);
    }
    expect(reasons).toEqual(['dpop_missing', 'key_mismatch']);
    expect(await issuedTo(flow.client)).toBe(0);
    expect((await askWith(app, await proof(), form, flow.client)).status).toBe(200);
  });
});

describe('a stolen token of a bound family', () => {
  const redeem = ({ client: of, code, verifier }: GrantedCode, sent: string): Promise<TokenResponse> =>
    askWith(app, sent, { grant_type: 'authorization_code', code, code_verifier: verifier }, of);
  const refresh = ({ client: of }: Flow, token: string, sent?: string): Promise<TokenResponse> =>
    askWith(app, sent, { grant_type: 'refresh_token', refresh_token: token }, of);

  it('[D6] is worth nothing without the key, and trying spends nothing', async () => {
    const flow = await aFlow(app);
    const { body } = await redeem(await aGrantedCode(flow), await proof());
    const before = await issuedTo(flow.client);
    const thief = await aKey();
    expect((await refresh(flow, body.refresh_token)).body).toMatchObject({
      error: 'invalid_dpop_proof',
      error_description: 'a DPoP proof is required',
    });
    expect((await refresh(flow, body.refresh_token, await aProof(app, thief))).body).toMatchObject({
      error: 'invalid_grant',
      error_description: 'token is bound to another key',
    });
    expect((await audited(app, 'token.refresh_denied')).slice(0, 2).map(({ reason }) => reason)).toEqual([
      'key_mismatch',
      'dpop_missing',
    ]);
    expect(await issuedTo(flow.client)).toBe(before);
    expect((await refresh(flow, body.refresh_token, await proof())).status).toBe(200);
  });

  it('[D6] that is spent cannot end the family for whoever has not the key (W9)', async () => {
    const flow = await aFlow(app);
    const { body } = await redeem(await aGrantedCode(flow), await proof());
    const second = (await refresh(flow, body.refresh_token, await proof())).body;
    app.clock.advance(20);
    const thief = await aKey();
    for (const sent of [undefined, await aProof(app, thief)]) {
      expect((await refresh(flow, body.refresh_token, sent)).body.error).toBe('invalid_grant');
    }
    const third = await refresh(flow, second.refresh_token, await proof());
    expect(third.status).toBe(200);
    expect((await refresh(flow, body.refresh_token, await proof())).body.error_description).toBe(
      'refresh token has already been used',
    );
    expect((await refresh(flow, third.body.refresh_token, await proof())).body.error).toBe('invalid_grant');
  });
});
