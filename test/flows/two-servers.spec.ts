import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aConfidentialClient, aFlow, aGrantedCode, redeem, tokensOf, type TokenResponse } from '../builders.js';
import { aKey, aProof, askWith, type ProofKey } from '../dpop.js';
import { ACCESS_TOKEN, EXCHANGE } from '../exchanges.js';
import { startReplicas, type Replicas } from '../replicas.js';

const FORM = { grant_type: 'client_credentials' };
const MACHINE = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' };

let replicas: Replicas;
let key: ProofKey;
beforeAll(async () => {
  replicas = await startReplicas({
    CLIENT_CREDENTIALS_ENABLED: 'true',
    TOKEN_EXCHANGE_ENABLED: 'true',
    TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true',
  });
  key = await aKey();
});
afterAll(() => replicas?.stop());

const proof = (claims: Record<string, unknown> = {}): Promise<string> => aProof(replicas.one, key, claims);
const outcome = ({ status, body }: TokenResponse) => [status, body.error ?? body.token_type];

describe('two server processes on one Postgres and one Redis', () => {
  it('[D16] refuse on one a proof that was used on the other, whichever came first', async () => {
    const client = await aConfidentialClient(replicas.one, MACHINE);
    for (const [first, second] of [
      [replicas.one, replicas.two],
      [replicas.two, replicas.one],
    ] as const) {
      const sent = await proof();
      expect(outcome(await askWith(first, sent, FORM, client))).toEqual([200, 'DPoP']);
      const again = await askWith(second, sent, FORM, client);
      expect([...outcome(again), again.body.error_description]).toEqual([
        400,
        'invalid_dpop_proof',
        'jti already used',
      ]);
    }
    const race = await proof();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => askWith(n % 2 ? replicas.one : replicas.two, race, FORM, client)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it('[D12 D17] accept on one a nonce that the other gave, and none that neither gave', async () => {
    const client = await aConfidentialClient(replicas.one, MACHINE);
    for (const [giving, taking] of [
      [replicas.one, replicas.two],
      [replicas.two, replicas.one],
    ] as const) {
      const nonce = (await askWith(giving, await proof(), FORM, client)).headers.get('dpop-nonce')!;
      expect(outcome(await askWith(taking, await proof({ nonce }), FORM, client))).toEqual([200, 'DPoP']);
      const madeUp = `${nonce.startsWith('A') ? 'B' : 'A'}${nonce.slice(1)}`;
      const refused = await askWith(taking, await proof({ nonce: madeUp }), FORM, client);
      expect(outcome(refused)).toEqual([400, 'use_dpop_nonce']);
    }
  });

  it('give no token on one, from the next request on, to a client that was suspended through the other', async () => {
    const { one, two } = replicas;
    const grant_types = ['authorization_code', 'refresh_token', 'client_credentials', EXCHANGE];
    const flow = await aFlow(one, { token_endpoint_auth_method: 'client_secret_basic', grant_types, scope: SCOPES });
    const [held, code] = [await tokensOf(flow), await aGrantedCode(flow)];
    const forms = {
      code: { grant_type: 'authorization_code', code: code.code, code_verifier: code.verifier },
      refresh: { grant_type: 'refresh_token', refresh_token: held.tokens.refresh_token },
      machine: FORM,
      exchange: {
        grant_type: EXCHANGE,
        subject_token: held.tokens.access_token,
        subject_token_type: ACCESS_TOKEN,
        resource: flow.resource.uri,
      },
    };
    const ask = (form: Record<string, string>) => askWith(two, undefined, form, flow.client);
    // The other one knows the client, and goes on serving it until the very moment.
    for (const form of [forms.machine, forms.exchange]) expect((await ask(form)).status).toBe(200);
    let isSuspended = false;
    const seen: { late: boolean; status: number }[] = [];
    const lane = async (): Promise<void> => {
      for (let late = 0; late < 2;) {
        const begunAfter = isSuspended;
        const { status } = await ask(forms.machine);
        seen.push({ late: begunAfter, status });
        if (begunAfter) late += 1;
      }
    };
    const load = Promise.all([lane(), lane()]);
    while (seen.length < 10) await new Promise(setImmediate);
    expect((await one.admin('PATCH', `/admin/clients/${flow.client.id}/suspend`)).status).toBe(200);
    isSuspended = true;
    const issued = await issuedTo(flow.client.id);
    for (const [what, form] of Object.entries(forms)) {
      const { status, body } = await ask(form);
      expect([what, status, body.error]).toEqual([what, 401, 'invalid_client']);
    }
    await load;
    expect(seen.filter(({ late, status }) => late && status !== 401)).toEqual([]);
    expect(seen.filter(({ late, status }) => !late && status === 200).length).toBeGreaterThanOrEqual(9);
    expect(await issuedTo(flow.client.id)).toBe(issued);

    expect((await one.admin('PATCH', `/admin/clients/${flow.client.id}/reactivate`)).status).toBe(200);
    expect((await ask(forms.refresh)).status).toBe(200);
    expect((await redeem({ ...code, app: two })).status).toBe(200);
  });
});

const SCOPES = 'notes:read notes:write';

const issuedTo = async (clientId: string): Promise<number> =>
  (await replicas.sql('select from issuances where client_id = $1', [clientId])).length;
