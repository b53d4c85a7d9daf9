/**
 * Runs every case against a server and prints what came of it.
 *
 *   node test/conformance/xaa/evil-twin.mjs --url http://localhost:9000 --admin-url http://127.0.0.1:9001 [--replica-url …] [--json]
 *
 * AUTHPLANE_ADMIN_API_KEY is the operator's key. The server needs `xaa.enabled`, an issuer on localhost (the identity providers here
 * speak http) and no rate limit. It is left with the clients, resources and issuers that the cases made.
 */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { calculateJwkThumbprint, SignJWT } from 'jose';
import { cases } from './cases.mjs';
import { evilIdp, newKey } from './evil-idp.mjs';

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string' },
    'admin-url': { type: 'string' },
    'replica-url': { type: 'string' },
    json: { type: 'boolean' },
  },
});
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
if (!flags.url || !flags['admin-url'] || !process.env.AUTHPLANE_ADMIN_API_KEY) {
  console.error('needed: --url, --admin-url, and AUTHPLANE_ADMIN_API_KEY in the environment');
  process.exit(2);
}
const { issuer } = await (await fetch(`${flags.url}/.well-known/oauth-authorization-server`)).json();

async function admin(method, path, body) {
  const response = await fetch(`${flags['admin-url']}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${process.env.AUTHPLANE_ADMIN_API_KEY}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

async function aClient() {
  const client = await admin('POST', '/admin/clients', {
    client_name: 'Evil twin',
    redirect_uris: [],
    grant_types: [GRANT],
    token_endpoint_auth_method: 'client_secret_basic',
    scope: 'notes:read notes:write',
  });
  return { id: client.client_id, secret: client.client_secret };
}

async function aResource() {
  const slug = `evil-${randomUUID().slice(0, 8)}`;
  const scopes = [{ name: 'notes:read' }, { name: 'notes:write' }];
  return admin('POST', '/admin/resources', { slug, uri: `https://${slug}.example/mcp`, backend_kind: 'mint', scopes });
}

const [client, other] = await Promise.all([aClient(), aClient()]);
const [resource, elsewhere, gone] = await Promise.all([aResource(), aResource(), aResource()]);
await admin('DELETE', `/admin/resources/${gone.id}`);
/** The key that assertions are bound to, and one that they are not. */
const proofKeys = { own: await newKey(), another: await newKey() };

/** An identity provider that the operator trusts for one resource. */
async function trusted(more = {}) {
  const idp = await evilIdp();
  const { id } = await admin('POST', '/admin/idps', { name: 'Evil twin', issuer: idp.issuer });
  const policy = {
    name: 'Evil twin',
    idp_id: id,
    client_ids: [client.id, other.id],
    resources: [resource.uri],
    ...more,
  };
  await admin('POST', '/admin/xaa/policies', policy);
  return Object.assign(idp, { id });
}

function goodClaims(idp) {
  const iat = Math.floor(Date.now() / 1000);
  const whom = { iss: idp.issuer, sub: 'ada', aud: issuer, client_id: client.id, jti: randomUUID() };
  return { ...whom, iat, exp: iat + 300, resource: resource.uri, scope: 'notes:read notes:write' };
}

const sign = (claims, { kid, alg, privateKey }, header = {}) =>
  new SignJWT(claims).setProtectedHeader({ typ: 'oauth-id-jag+jwt', alg, kid, ...header }).sign(privateKey);

/** RFC 9449 §4.2 */
function proofBy({ privateKey, publicJwk: { kty, crv, x, y } }) {
  const claims = { jti: randomUUID(), htm: 'POST', htu: `${issuer}/oauth/token`, iat: Math.floor(Date.now() / 1000) };
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } };
  return new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
}

async function present(assertion, { form = {}, as = client, at = flags.url, proof } = {}) {
  const response = await fetch(`${at}/oauth/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${as.id}:${as.secret}`).toString('base64')}`,
      ...(proof ? { dpop: await proofBy(proof) } : {}),
    },
    body: new URLSearchParams({ grant_type: GRANT, assertion, ...form }),
  });
  return { status: response.status, body: await response.json() };
}

const issuedCount = async () =>
  (await Promise.all([client, other].map(({ id }) => admin('GET', `/admin/issuances?client=${id}`)))).reduce(
    (sum, { count }) => sum + count,
    0,
  );

/** What the audit log says of the very request. */
const reasonOf = async ({ request_id: id }) =>
  (await admin('GET', `/admin/audit?action=jwt_bearer.denied&request_id=${id}`)).events?.[0]?.reason;

const names = { OTHER: elsewhere.uri, GONE: gone.uri };
const named = (value) => Object.fromEntries(Object.entries(value).map(([key, text]) => [key, names[text] ?? text]));

/** Another host of the same network: what an attacker who controls the discovery document would have the server ask. */
const neighbour = await evilIdp('127.0.0.2');
neighbour.serve = (keys) => {
  neighbour.keys = keys;
  return neighbour.jwksUri;
};

/** @returns how the server got it wrong, if it did */
async function run({ claims = {}, header, sign: own, form = {}, as, proof, policy, spoil, expect }, shared) {
  const idp = spoil || policy ? await trusted(policy) : shared;
  const good = goodClaims(idp);
  const bound = proof ? { cnf: { jkt: await calculateJwkThumbprint(proofKeys.own.publicJwk) } } : {};
  const evil = { ...good, ...bound, ...named(typeof claims === 'function' ? claims(good) : claims) };
  const assertion = own ? await own(evil, idp.key) : await sign(evil, idp.key, header);
  if (spoil === 'disable') await admin('PUT', `/admin/idps/${idp.id}`, { enabled: false });
  else if (spoil === 'private-name') idp.jwksUri = idp.jwksUri.replace('127.0.0.1', 'localhost');
  else if (spoil === 'private-address') idp.jwksUri = neighbour.serve(idp.keys);
  else if (spoil) idp.jwks = (res, json) => spoil(res, json, idp);

  const before = await issuedCount();
  const { status, body } = await present(assertion, { form: named(form), as: as && other, proof: proofKeys[proof] });
  const reason = expect.reason && (await reasonOf(body));
  const wrong = [];
  if (status !== expect.status || body.error !== expect.error)
    wrong.push(`answered ${status} ${body.error}, not ${expect.status} ${expect.error}`);
  if (reason !== expect.reason) wrong.push(`gave the reason ${reason}, not ${expect.reason}`);
  if ('access_token' in body || (await issuedCount()) !== before) wrong.push('issued a token');

  if (spoil) {
    idp.jwks = (_, json) => json(idp.keyText());
    idp.jwksUri = `${idp.issuer}/jwks`;
    await admin('PUT', `/admin/idps/${idp.id}`, { enabled: true });
    await admin('POST', `/admin/idps/${idp.id}/refresh-keys`);
  }
  const again = await present(spoil || proof ? assertion : await sign(good, idp.key), {
    proof: proof && proofKeys.own,
  });
  if (again.status !== 200) wrong.push('spent the jti');
  if (idp !== shared) await idp.close();
  return { code: `${status} ${body.error}`, reason, jti: again.status === 200 ? 'unspent' : 'spent', wrong };
}

/** A server that is busy says so, and is asked again, as clients do. */
async function presentToTheEnd(assertion, at) {
  for (let asked = 1; ; asked += 1) {
    const answer = await present(assertion, { at });
    if (answer.status !== 503 || asked === 5) return answer;
  }
}

/** What takes more than one request. */
const stories = {
  'used twice': async (idp) => {
    const assertion = await sign(goodClaims(idp), idp.key);
    return [await present(assertion), await present(assertion)];
  },
  'used twice, on two replicas': async (idp) => {
    const assertion = await sign(goodClaims(idp), idp.key);
    return [await present(assertion), await present(assertion, { at: flags['replica-url'] ?? flags.url })];
  },
  'another assertion with a jti that was used': async (idp) => {
    const claims = goodClaims(idp);
    const [first, second] = [await sign(claims, idp.key), await sign({ ...claims, scope: 'notes:read' }, idp.key)];
    return [await present(first), await present(second)];
  },
  'used twenty times at once': async (idp) => {
    const assertion = await sign(goodClaims(idp), idp.key);
    const at = (n) => (n % 2 ? (flags['replica-url'] ?? flags.url) : flags.url);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => presentToTheEnd(assertion, at(n))));
    return answers.toSorted((a, b) => a.status - b.status);
  },
};

async function tell(story, idp) {
  const before = await issuedCount();
  const [first, ...rest] = await story(idp);
  const wrong = [];
  if (first.status !== 200) wrong.push(`refused the first: ${first.status} ${first.body.error}`);
  if (!rest.every(({ status, body }) => status === 400 && body.error === 'invalid_grant')) wrong.push('took it twice');
  if ((await issuedCount()) !== before + 1) wrong.push('issued another token');
  const reasons = new Set(await Promise.all(rest.map(({ body }) => reasonOf(body))));
  const reason = [...reasons].join();
  if (reason !== 'assertion_replayed') wrong.push(`gave the reason ${reason}`);
  return { code: `${rest[0]?.status} ${rest[0]?.body.error}`, reason, jti: 'spent', wrong };
}

/** Keys that change while tokens are asked for: the new one counts, the old one no more, and what it signed has spent nothing. */
async function rotation() {
  const idp = await trusted();
  const wrong = [];
  if ((await present(await sign(goodClaims(idp), idp.key))).status !== 200) wrong.push('refused the old key');
  const old = idp.key;
  idp.key = await newKey();
  idp.keys = [idp.key];
  if ((await present(await sign(goodClaims(idp), idp.key))).status !== 200) wrong.push('refused the new key');
  const [claims, before] = [goodClaims(idp), await issuedCount()];
  const { status, body } = await present(await sign(claims, old));
  const reason = await reasonOf(body);
  if (body.error !== 'invalid_grant' || (await issuedCount()) !== before) wrong.push('took the old key');
  if (reason !== 'assertion_key_unknown') wrong.push(`gave the reason ${reason}`);
  const again = await present(await sign(claims, idp.key));
  if (again.status !== 200) wrong.push('spent the jti');
  await idp.close();
  return { code: `${status} ${body.error}`, reason, jti: again.status === 200 ? 'unspent' : 'spent', wrong };
}

const shared = await trusted();
const rows = [];
for (const each of cases) rows.push({ name: each.name, ...(await run(each, shared)) });
for (const [name, story] of Object.entries(stories)) rows.push({ name, ...(await tell(story, shared)) });
rows.push({ name: 'keys that are changed meanwhile', ...(await rotation()) });
await Promise.all([shared.close(), neighbour.close()]);

if (flags.json) console.log(JSON.stringify(rows));
else {
  for (const { name, code, reason = '-', jti, wrong } of rows)
    console.log(
      `${wrong.length > 0 ? 'WRONG' : 'ok   '}  ${name}: ${code} (${reason}), jti ${jti}${wrong.map((w) => `; ${w}`).join('')}`,
    );
  console.log(`${rows.filter(({ wrong }) => wrong.length === 0).length} of ${rows.length} as it must be`);
}
process.exitCode = rows.some(({ wrong }) => wrong.length > 0) ? 1 : 0;
