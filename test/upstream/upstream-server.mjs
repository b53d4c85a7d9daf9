/**
 * A third party's OAuth server, as a process of its own: a real `oidc-provider` whose refresh tokens rotate and whose reuse of a spent
 * one ends the grant. Beside it: login and consent as plain forms, an API that looks at the access token, the same in Slack's shape
 * below /slack, and /control, by which a test sets and counts. Prints its origin when it listens.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const settings = { accessTokenTtl: 600, refreshTokens: true, rotate: true, pkce: true };
const requests = { authorization_code: 0, refresh_token: 0, revocation: 0 };
const refused = { authorization_code: 0, refresh_token: 0, revocation: 0 };
const scopes = [
  'openid',
  'offline_access',
  'email',
  'repo:read',
  'repo:write',
  'calendar:read',
  'https://api.example/all',
];

const server = createServer();
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1');
await once(server, 'listening');
const origin = `http://localhost:${server.address().port}`;

const provider = new Provider(origin, {
  scopes,
  claims: { openid: ['sub'], email: ['email'] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@upstream.example` }) }),
  cookies: { keys: ['only a test'] },
  pkce: { required: () => settings.pkce },
  issueRefreshToken: () => settings.refreshTokens,
  rotateRefreshToken: () => settings.rotate,
  // Consent is asked for anew each time, so that a person can give less or more than before.
  loadExistingGrant: ({ oidc }) => oidc.result?.consent && oidc.provider.Grant.find(oidc.result.consent.grantId),
  ttl: {
    AccessToken: () => settings.accessTokenTtl,
    RefreshToken: 86_400,
    Session: 3600,
    Grant: 86_400,
    Interaction: 600,
  },
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true },
    registration: { enabled: true },
    rpInitiatedLogout: { enabled: false },
  },
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
});
provider.use(async (ctx, next) => {
  await next();
  const what = ctx.path === '/token' ? ctx.oidc?.params?.grant_type : ctx.path === '/token/revocation' && 'revocation';
  if (!(what in requests)) return;
  requests[what] += 1;
  if (ctx.status >= 400) refused[what] += 1;
});

const callback = provider.callback();
server.on('request', (req, res) => {
  const { pathname, searchParams } = new URL(req.url, origin);
  const own = { '/control': control, '/api/me': me, '/slack/authorize': slackAuthorize, '/slack/token': slackToken };
  const handler = own[pathname] ?? (pathname.startsWith('/interaction/') ? interaction : undefined);
  if (!handler) return callback(req, res);
  handler(req, res, searchParams).catch((error) => answer(res, 500, { error: String(error) }));
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

async function control(req, res) {
  if (req.method === 'POST') Object.assign(settings, JSON.parse(await bodyOf(req)));
  answer(res, 200, { settings, requests, refused });
}

/** What a third party's API does with the token that it is shown. */
async function me(req, res) {
  const token = await provider.AccessToken.find((req.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (!token?.isValid) return answer(res, 401, { error: 'invalid_token' });
  answer(res, 200, { login: token.accountId, scope: token.scope ?? '' });
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

function page(res, title, form) {
  res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  res.end(`<!doctype html><html lang="en"><title>${title}</title><h1>${title}</h1>${form}</html>`);
}

async function interaction(req, res) {
  const { uid, prompt, params, session } = await provider.interactionDetails(req, res);
  const fields = new URLSearchParams(req.method === 'POST' ? await bodyOf(req) : '');
  const finish = (result) => provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
  if (prompt.name === 'login') {
    if (fields.get('login')) return finish({ login: { accountId: fields.get('login') } });
    const form = `<form method="post" action="/interaction/${uid}"><input name="login" aria-label="login"><button>Sign in</button></form>`;
    return page(res, 'Upstream: sign in', form);
  }
  if (fields.get('decision') === 'deny')
    return finish({ error: 'access_denied', error_description: 'no <b>thanks</b>' });
  const asked = (params.scope ?? '').split(' ').filter((scope) => scopes.includes(scope));
  if (fields.get('decision') !== 'allow') {
    const boxes = asked.map((scope) => {
      const name = escaped(`scope ${scope}`);
      return `<label><input type="checkbox" name="${name}" value="on" checked> ${escaped(scope)}</label>`;
    });
    const form = `<form method="post" action="/interaction/${uid}">${boxes.join('')}
      <button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>`;
    return page(res, `Upstream: allow ${escaped(params.client_id)}?`, form);
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  for (const scope of asked) {
    if (fields.has(`scope ${scope}`)) grant.addOIDCScope(scope);
    else grant.rejectOIDCScope(scope);
  }
  await finish({ consent: { grantId: await grant.save() } });
}

/** `user_scope` with commas, as Slack has it. */
async function slackAuthorize(_req, res, query) {
  query.set('scope', (query.get('user_scope') ?? '').replaceAll(',', ' '));
  query.delete('user_scope');
  res.writeHead(303, { location: `${origin}/auth?${query}` });
  res.end();
}

const slackErrors = { invalid_grant: 'invalid_refresh_token', invalid_client: 'bad_client_secret' };

/** Always 200; the person's token lies in `authed_user` after a code, and at the top after a refresh. */
async function slackToken(req, res) {
  const { authorization } = req.headers;
  const form = await bodyOf(req);
  const response = await fetch(`${origin}/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...(authorization && { authorization }) },
    body: form,
  });
  const token = await response.json();
  if (token.error) return answer(res, 200, { ok: false, error: slackErrors[token.error] ?? token.error });
  const { access_token, refresh_token, expires_in, scope } = token;
  const given = {
    access_token,
    refresh_token,
    expires_in,
    token_type: 'user',
    scope: (scope ?? '').replaceAll(' ', ','),
  };
  const body = new URLSearchParams(form).has('refresh_token')
    ? given
    : { authed_user: { id: 'U0000ADA', ...given }, team: { id: 'T1' } };
  answer(res, 200, { ok: true, app_id: 'A1', ...body });
}

process.stdout.write(`${origin}\n`);
