/**
 * A company's identity provider, as a process of its own: a real `oidc-provider`. Its sign-in page takes a login name; who that is
 * (claims) a test says by /control. Beside the honest token endpoint stands a forger: `forge` in the settings names what is wrong with the next
 * ID token, and /logout-token signs whatever it is told. Prints its origin when it listens.
 */
import { KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, decodeJwt } from 'jose';
import { Provider } from 'oidc-provider';
import { teachIdJag } from './id-jag-grant.mjs';

const settings = {
  people: {},
  forge: undefined,
  away: false,
  maintenance: false,
  audiences: {},
  hold: false,
  rotated: false,
  refreshTokens: true,
};
const requests = { authorize: 0, token: 0, refresh: 0, jwks: 0, discovery: 0 };

const pair = await generateKeyPair('RS256', { extractable: true });
const stranger = await generateKeyPair('RS256', { extractable: true });
const next = await generateKeyPair('RS256', { extractable: true });
const nextJwk = { ...(await exportJWK(next.publicKey)), kid: 'company-next', use: 'sig', alg: 'RS256' };
const jwk = { ...(await exportJWK(pair.privateKey)), kid: 'company-1', use: 'sig', alg: 'RS256' };

const server = createServer();
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1');
await once(server, 'listening');
const origin = `http://localhost:${server.address().port}`;

const claimsOf = (login) => ({
  sub: login,
  name: `${login} of the company`,
  email: `${login}@corp.example`,
  email_verified: true,
  hd: 'corp.example',
  tid: 'tenant-1',
  groups: [],
  ...settings.people[login],
});

const provider = new Provider(origin, {
  jwks: { keys: [jwk] },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
  claims: { openid: ['sub', 'hd', 'tid'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  findAccount: (_ctx, id) =>
    settings.people[id]?.gone ? undefined : { accountId: id, claims: () => ({ ...claimsOf(id), sub: id }) },
  cookies: { keys: ['only a test'] },
  pkce: { required: () => true },
  conformIdTokenClaims: false,
  clientBasedCORS: () => false,
  // Without its dispatcher, which lets it call nobody on this machine.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  // The company allowed this application for everybody.
  loadExistingGrant: async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope('openid offline_access email profile groups');
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  issueRefreshToken: (_ctx, client) => settings.refreshTokens && client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: () => true,
  expiresWithSession: () => false,
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
});

teachIdJag(provider, {
  pair,
  kid: jwk.kid,
  claimsOf,
  audienceOf: (audience, clientId) => settings.audiences[audience]?.[clientId],
});

const count = ({ oidc }) => (requests.refresh += oidc.params?.grant_type === 'refresh_token' ? 1 : 0);
provider.on('grant.success', count).on('grant.error', count);
const refreshTokens = [];
provider.on('refresh_token.saved', ({ jti }) => refreshTokens.push(jti));
const callback = provider.callback();
server.on('request', (req, res) => {
  const { pathname } = new URL(req.url, origin);
  if (pathname === '/control') return void control(req, res);
  if (pathname === '/logout-token') return void logoutToken(req, res);
  if (settings.away) return answer(res, 503, { error: 'away' });
  if (pathname === '/auth') requests.authorize += 1;
  if (pathname === '/jwks') requests.jwks += 1;
  if (pathname === '/token') requests.token += 1;
  if (pathname === '/.well-known/openid-configuration') requests.discovery += 1;
  if (pathname.startsWith('/interaction/')) return void interaction(req, res);
  if (pathname === '/jwks' && settings.maintenance) return answer(res, 200, { error: 'maintenance' });
  if (pathname === '/jwks' && settings.rotated) return answer(res, 200, { keys: [nextJwk] });
  if (pathname === '/token' && req.headers['x-from'] !== 'forger') {
    if (settings.hold) return void released().then(() => callback(req, res));
    if (settings.forge || settings.rotated) return void forged(req, res);
  }
  callback(req, res);
});

function answer(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  res.end(JSON.stringify(body));
}

async function bodyOf(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function released() {
  while (settings.hold) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function control(req, res) {
  if (req.method === 'POST') Object.assign(settings, { forge: undefined }, JSON.parse(await bodyOf(req)));
  answer(res, 200, { requests, refreshTokens });
}

async function interaction(req, res) {
  const { uid, prompt } = await provider.interactionDetails(req, res);
  const login = new URLSearchParams(req.method === 'POST' ? await bodyOf(req) : '').get('login');
  if (login === 'nobody') return provider.interactionFinished(req, res, { error: 'access_denied' });
  if (login) return provider.interactionFinished(req, res, { login: { accountId: login } });
  res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  res.end(`<!doctype html><html lang="en"><title>Company: ${prompt.name}</title><h1>Company</h1>
    <form method="post" action="/interaction/${uid}"><input name="login" aria-label="login"><button>Sign in</button></form></html>`);
}

/** The honest answer with another ID token in it. */
async function forged(req, res) {
  const { authorization } = req.headers;
  const form = await bodyOf(req);
  const { forge = {} } = settings;
  settings.forge = undefined;
  const response = await fetch(`${origin}/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-from': 'forger',
      ...(authorization && { authorization }),
    },
    body: form,
  });
  const token = await response.json();
  if (!token.id_token) return answer(res, response.status, token);
  answer(res, 200, { ...token, id_token: await signed(decodeJwt(token.id_token), forge) });
}

async function logoutToken(req, res) {
  const { claims, ...forge } = JSON.parse(await bodyOf(req));
  answer(res, 200, { logout_token: await signed(claims, forge) });
}

function signed(honest, { remove = [], claims = {}, header = {}, unsigned, hmac, key }) {
  const payload = { ...honest, ...claims };
  for (const name of remove) delete payload[name];
  if (unsigned) return new UnsecuredJWT(payload).encode();
  if (hmac)
    return new SignJWT(payload).setProtectedHeader({ alg: 'HS256', ...header }).sign(new TextEncoder().encode(hmac));
  const own = settings.rotated ? { kid: nextJwk.kid, by: next } : { kid: 'company-1', by: pair };
  const kid = key === 'unknown' ? 'company-2' : own.kid;
  const by = KeyObject.from(key ? stranger.privateKey : own.by.privateKey);
  // By hand: a library would not write down what no library should read.
  const parts = [{ alg: 'RS256', kid, ...header }, payload].map((part) => JSON.stringify(part));
  const signing = parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${signing}.${sign('sha256', Buffer.from(signing), by).toString('base64url')}`;
}

process.stdout.write(`${origin}\n`);
