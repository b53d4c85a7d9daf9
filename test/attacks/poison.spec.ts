import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aKeyClient, asForm, assertionOf, type KeyClient } from '../assertions.js';
import { aConfidentialClient, aGrantedCode, basicOf, type ClientFixture } from '../builders.js';
import { aKey, aProof, type ProofKey } from '../dpop.js';
import { ACCESS_TOKEN, EXCHANGE, startExchangingApp, started, type Started } from '../exchanges.js';
import { HttpBrowser } from '../http-browser.js';
import { rawRequest, type RawAnswer } from '../raw-request.js';

type Form = Readonly<Record<string, string>>;
type Request = () => Promise<RawAnswer>;

const MACHINE_FORM = { grant_type: 'client_credentials' };
const MACHINE = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' };

let app: TestApp;
let browser: HttpBrowser;
let person: Started;
let machine: ClientFixture;
let posting: ClientFixture;
let keyMachine: KeyClient;
let proofKey: ProofKey;
beforeAll(async () => {
  app = await startExchangingApp({
    SERVER_TRUSTED_PROXIES: '127.0.0.1/32',
    TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true',
  });
  browser = new HttpBrowser();
  person = await started(app, {}, browser);
  machine = await aConfidentialClient(app, MACHINE);
  posting = await aConfidentialClient(app, { ...MACHINE, token_endpoint_auth_method: 'client_secret_post' });
  keyMachine = await aKeyClient(app, MACHINE);
  proofKey = await aKey();
});
afterAll(() => app.close());

let senders = 0;
/** A token request from an address of its own, so that no failure is counted against anybody else. */
function post(body: string | Buffer, headers: Record<string, string> = {}): Promise<RawAnswer> {
  senders += 1;
  return rawRequest(app.url, '/oauth/token', {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-forwarded-for': `203.0.${senders >> 8}.${senders & 255}`,
      ...headers,
    },
    body,
  });
}

const ask = (form: Form, headers: Record<string, string> = {}): Promise<RawAnswer> =>
  post(new URLSearchParams(form).toString(), headers);

const exchangeForm = (): Form => ({
  grant_type: EXCHANGE,
  subject_token: person.token,
  subject_token_type: ACCESS_TOKEN,
});

async function codeForm(): Promise<Form> {
  const { code, verifier, client } = await aGrantedCode(person, {}, browser);
  return { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: client.redirectUri };
}

async function refreshForm(): Promise<Form> {
  const { body } = await ask(await codeForm(), basicOf(person.client));
  return { grant_type: 'refresh_token', refresh_token: body.refresh_token };
}

async function times<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) made.push(await make());
  return made;
}

/** Every one of them gets a token, unless a neighbour spoils it. */
async function aHundredGoodOnes(): Promise<Request[]> {
  const forms = [
    ...(await times(10, codeForm)),
    ...(await times(10, refreshForm)),
    ...Array.from({ length: 25 }, exchangeForm),
  ];
  const proofs = await times(30, () => aProof(app, proofKey));
  const assertions = await times(25, () => assertionOf(app, keyMachine.id, keyMachine.pair));
  return [
    ...forms.map((form) => () => ask(form, basicOf(person.client))),
    ...proofs.map((dpop) => () => ask(MACHINE_FORM, { ...basicOf(machine), dpop })),
    ...assertions.map((assertion) => () => ask({ ...MACHINE_FORM, ...asForm(assertion) })),
  ];
}

const jtiOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).jti;

/**
 * Sends the poisoned requests among a hundred good ones, all at once: the good ones get their tokens, each of the others an
 * answer of its own and, if anything read it, its place in the audit.
 *
 * @param expected by what is poisoned: `status error`
 */
async function expectOnlyTheseFail(poisoned: ReadonlyMap<string, Request>, expected: (what: string) => string) {
  const good = await aHundredGoodOnes();
  const before = app.logged.length;
  const [served, refused]: [Promise<RawAnswer>[], Promise<[string, RawAnswer]>[]] = [[], []];
  const bad = [...poisoned];
  for (let n = 0; n < Math.max(good.length, bad.length); n++) {
    const [one, other] = [good[n], bad[n]];
    if (other) refused.push(other[1]().then((answer) => [other[0], answer]));
    if (one) served.push(one());
  }
  const answers = await Promise.all(served);
  expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200));
  const jtis = answers.map(({ body }) => jtiOf(body.access_token));
  expect(await app.sql('select from issuances where jti = any($1)', [jtis])).toHaveLength(100);

  const refusals = await Promise.all(refused);
  for (const [what, { status, body }] of refusals)
    expect([what, `${status} ${body.error ?? ''}`.trim()]).toEqual([what, expected(what)]);
  const read = refusals.filter(([, { status }]) => status <= 401).map(([, { body }]) => body.request_id);
  expect(await app.sql('select from audit_events where request_id = any($1)', [read])).toHaveLength(read.length);
  expect(app.logged.slice(before).filter((line) => /unexpected error|dropped/.test(line))).toEqual([]);
}

const HOLE = 'the-poison-goes-here';
const NOTHING: Buffer = Buffer.alloc(0);
const HALF_A_PAIR = Buffer.from([0xed, 0xa0, 0x80]);
const tooMuch = { '20 kB': Buffer.alloc(20_000, 'x'), '1 MB': Buffer.alloc(1024 * 1024, 'x') };
const raw = { 'U+0000': Buffer.from('\0'), 'a lone surrogate': HALF_A_PAIR, ...tooMuch };
const inJson: Readonly<Record<string, Buffer>> = {
  'U+0000, escaped': Buffer.from('\\u0000'),
  'a lone surrogate, escaped': Buffer.from('\\ud800'),
  ...raw,
};
const inForm: Readonly<Record<string, Buffer>> = {
  'U+0000, escaped': Buffer.from('%00'),
  'a lone surrogate, escaped': Buffer.from('%ed%a0%80'),
  ...raw,
};

/** `text` with the poison where its hole is. */
function poisonedWith(text: string, poison = NOTHING): Buffer {
  const [before = '', after] = text.split(HOLE);
  return after === undefined ? Buffer.from(text) : Buffer.concat([Buffer.from(before), poison, Buffer.from(after)]);
}

type Members = Readonly<Record<string, unknown>>;

/** `members` with a hole behind each value in turn, those of an object among them one by one. */
function holesIn(members: Members): [name: string, members: Members][] {
  return Object.entries(members).flatMap(([name, value]): [string, Members][] =>
    typeof value === 'object'
      ? holesIn(value as Members).map(([inner, changed]) => [`${name}.${inner}`, { ...members, [name]: changed }])
      : [[name, { ...members, [name]: `${value}${HOLE}` }]],
  );
}

/** A JWT, rightly signed also where there is poison in it. */
interface Jwt {
  readonly header: Members;
  /** With a `jti` of its own each time. */
  payload(): Members;
  readonly key: CryptoKey;
}

async function signed(header: Members, payload: Members, key: CryptoKey, poison?: Buffer): Promise<string> {
  const [first, second] = [header, payload].map((part) => poisonedWith(JSON.stringify(part), poison));
  const text = `${first!.toString('base64url')}.${second!.toString('base64url')}`;
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, Buffer.from(text));
  return `${text}.${Buffer.from(signature).toString('base64url')}`;
}

/** A request for every poison in every member; without any it would be served. */
async function withPoisonIn(
  { header, payload, key }: Jwt,
  send: (jwt: string) => Promise<RawAnswer>,
): Promise<Map<string, Request>> {
  expect((await send(await signed(header, payload(), key))).status).toBe(200);
  const requests = new Map<string, Request>();
  for (const [kind, poison] of Object.entries(inJson)) {
    const parts: [string, Members, Members][] = [
      ...holesIn(header).map(([name, changed]): [string, Members, Members] => [name, changed, payload()]),
      ...holesIn(payload()).map(([name, changed]): [string, Members, Members] => [name, header, changed]),
    ];
    for (const [name, first, second] of parts) {
      const jwt = await signed(first, second, key, poison);
      requests.set(`${name}: ${kind}`, () => send(jwt));
    }
  }
  return requests;
}

/** The parser hangs up on headers that are too long. Who is still writing may see that before the answer, or instead of it. */
function hungUpOn(error: NodeJS.ErrnoException): RawAnswer {
  if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') throw error;
  return { status: 431, headers: {}, body: '' };
}

const seconds = (): number => Math.floor(app.clock.now().getTime() / 1000);

describe('poison among a hundred good requests fails only its own', () => {
  it('[D7] in each member of a proof', async () => {
    const { kty, crv, x, y } = proofKey.publicJwk;
    const send = (dpop: string): Promise<RawAnswer> => ask(MACHINE_FORM, { ...basicOf(machine), dpop }).catch(hungUpOn);
    const { headers } = await send(await aProof(app, proofKey));
    const claims = { htm: 'POST', htu: `${app.issuer}/oauth/token`, iat: seconds(), nonce: headers['dpop-nonce'] };
    const jwt = {
      header: { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } },
      payload: () => ({ ...claims, jti: randomUUID() }),
      key: proofKey.privateKey,
    };
    // 1 MB is more than the HTTP parser takes for headers: nothing of ours sees the request.
    await expectOnlyTheseFail(await withPoisonIn(jwt, send), (what) =>
      what.endsWith('1 MB') ? '431' : '400 invalid_dpop_proof',
    );
  });

  it('[J5] in each member of a client assertion', async () => {
    const { id, pair } = keyMachine;
    const claims = { iss: id, sub: id, aud: app.issuer, iat: seconds(), nbf: seconds(), exp: seconds() + 60 };
    const jwt = {
      header: { typ: 'JWT', alg: 'ES256', kid: pair.kid },
      payload: () => ({ ...claims, jti: randomUUID() }),
      key: pair.privateKey,
    };
    const send = (assertion: string): Promise<RawAnswer> => ask({ ...MACHINE_FORM, ...asForm(assertion) });
    await expectOnlyTheseFail(await withPoisonIn(jwt, send), (what) => {
      if (what.endsWith('1 MB')) return '413 invalid_request';
      return what.endsWith('20 kB') ? '400 invalid_request' : '401 invalid_client';
    });
  });

  it('[P5 P6] in each parameter of every grant, and spends nothing', async () => {
    const { client, resource, token } = person;
    const more = { scope: 'notes:read', resource: resource.uri };
    const actor = { actor_token: token, actor_token_type: ACCESS_TOKEN, requested_token_type: ACCESS_TOKEN };
    const assertion = asForm(await assertionOf(app, keyMachine.id, keyMachine.pair));
    const forms: [Form, ClientFixture?][] = [
      [{ ...(await codeForm()), resource: resource.uri, client_id: client.id }, client],
      [{ ...(await refreshForm()), ...more }, client],
      [{ ...exchangeForm(), ...actor, ...more, audience: resource.uri }, client],
      [{ ...MACHINE_FORM, scope: 'a', client_id: posting.id, client_secret: posting.secret! }],
      [{ ...MACHINE_FORM, client_id: keyMachine.id, ...assertion }],
    ];
    const requests = new Map<string, Request>();
    for (const [kind, poison] of Object.entries(inForm)) {
      for (const [form, by] of forms) {
        for (const [name, holed] of [...holesIn(form), ['a name', { ...form, [HOLE]: '1' }] as const]) {
          const body = poisonedWith(new URLSearchParams(holed as Form).toString(), poison);
          requests.set(`form ${forms.findIndex(([one]) => one === form)}, ${name}: ${kind}`, () =>
            post(body, basicOf(by)),
          );
        }
      }
    }
    await expectOnlyTheseFail(requests, (what) => `${what.endsWith('1 MB') ? 413 : 400} invalid_request`);
    for (const [form, by] of forms) expect((await ask(form, basicOf(by))).status).toBe(200);
  });
});
