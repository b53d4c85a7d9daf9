import 'reflect-metadata';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectedAccount, Credential } from '../../src/broker/connectors/connector.js';
import { OAuthConnector } from '../../src/broker/connectors/oauth.connector.js';
import { UpstreamCalls } from '../../src/broker/connectors/upstream-calls.js';
import type { Provider } from '../../src/broker/provider.js';
import { ProviderSecrets } from '../../src/broker/provider-secrets.js';
import { CallbackFromElsewhere, UpstreamRefused } from '../../src/broker/upstream-errors.js';
import { loadConfig } from '../../src/config/load-config.js';
import { SecretReferences } from '../../src/config/secret-references.js';
import { NoEncryption } from '../../src/encryption/no-encryption.js';
import { GuardedFetch } from '../../src/platform/http-client/guarded-fetch.js';
import { SettableClock } from '../app.js';
import { pkce } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';
import { serve } from '../outgoing.js';
import { acme } from './acme.js';
import { misbehavingProxy, type Misbehaviour, type MisbehavingProxy } from './misbehaving-proxy.js';
import { Upstream, type UpstreamClient } from './upstream.js';

const REDIRECT = 'http://localhost:1/connect/acme/callback';

let upstream: Upstream;
let proxy: MisbehavingProxy;
let client: UpstreamClient;
const env: Record<string, string> = {};
const clock = new SettableClock();
const calls = new UpstreamCalls(new GuardedFetch(), clock, loadConfig({ env: {} }));
const secrets = new ProviderSecrets(new SecretReferences(env), new NoEncryption());
const connector = new OAuthConnector(calls, secrets, clock);

beforeAll(async () => {
  upstream = await Upstream.start();
  proxy = await misbehavingProxy(upstream.origin);
  client = await upstream.register(REDIRECT);
  env.CONNECTOR_ACME_SECRET = client.clientSecret;
});
beforeEach(async () => {
  proxy.always();
  await upstream.set({ accessTokenTtl: 600, refreshTokens: true, rotate: true });
});
afterAll(async () => {
  await proxy.close();
  await upstream.stop();
});

const provider = (config: object = {}): Provider => acme(upstream, proxy, client, config);

interface Attempt {
  issuer?: string;
  scopes?: string[];
  without?: string[];
}

/** Goes where the connector sends the person, and comes back. */
async function connect(
  at: Provider,
  { issuer, scopes = ['repo:read'], without = [] }: Attempt = {},
): Promise<ConnectedAccount> {
  const { verifier, challenge } = pkce();
  const browser = new HttpBrowser();
  const url = await connector.connectUrl(at, { state: 's', codeChallenge: challenge, redirectUri: REDIRECT, scopes });
  const back = await upstream.allow(browser, await browser.get(url), { without });
  const parameters = new URL(back.location ?? '').searchParams;
  return connector.finish(at, {
    code: parameters.get('code') ?? '',
    codeVerifier: verifier,
    redirectUri: REDIRECT,
    issuer: issuer ?? parameters.get('iss') ?? undefined,
    scopes,
  });
}

const vend = (at: Provider, credential: Credential, scopes: string[] = []) => connector.vend(at, credential, scopes);

describe('the oauth connector at a real upstream', () => {
  it('connects an account, and tells whose it is and what was granted', async () => {
    const account = await connect(provider(), { scopes: ['repo:read', 'repo:write'] });
    expect(account).toMatchObject({ account: 'ada', scopes: ['repo:read', 'repo:write'], expiresInSeconds: 600 });
    expect(Object.keys(account.credential)).toEqual(['refreshToken']);
    expect(await upstream.me(account.accessToken)).toMatchObject({ status: 200, login: 'ada' });
  });

  it('gives what the person left ticked there', async () => {
    const account = await connect(provider(), { scopes: ['repo:read', 'repo:write'], without: ['repo:write'] });
    expect(account.scopes).toEqual(['repo:read']);
  });

  it('refreshes, hands over the new refresh token, and a spent one is refused for good', async () => {
    const at = provider();
    const { credential } = await connect(at);
    const first = await vend(at, credential);
    expect(first.credential?.refreshToken).toBeDefined();
    expect(first.credential).not.toEqual(credential);
    expect(await upstream.me(first.accessToken)).toMatchObject({ status: 200 });
    await expect(vend(at, credential)).rejects.toThrow(UpstreamRefused);
    await expect(vend(at, first.credential ?? {})).rejects.toThrow(new UpstreamRefused('invalid_grant'));
  });

  it('waits for a refresh only so long, together with what is asked for it besides', async () => {
    class Hasty extends OAuthConnector {
      protected override readonly longestRefreshMillis = 400;
    }
    const { credential } = await connect(provider());
    const refusal = { kind: 'answer', status: 400, body: JSON.stringify({ error: 'invalid_scope' }) } as const;
    proxy.next(refusal, { kind: 'hold', until: new Promise(() => {}), when: 'before' });
    const answer = new Hasty(calls, secrets, clock).vend(provider({ downscope: true }), credential, ['repo:read']);
    await expect(answer).rejects.toMatchObject({ why: 'timeout', outcomeUnknown: true });
  });

  it('keeps the refresh token where upstream does not rotate', async () => {
    await upstream.set({ rotate: false });
    const at = provider();
    const { credential } = await connect(at);
    expect((await vend(at, credential)).credential).toBeUndefined();
    expect((await vend(at, credential)).scopes).toEqual(['repo:read']);
  });

  it('narrows only where the provider can', async () => {
    const scopes = ['repo:read', 'repo:write'];
    const narrowing = provider({ downscope: true });
    const { credential } = await connect(narrowing, { scopes });
    const narrow = await vend(narrowing, credential, ['repo:read']);
    expect(narrow.scopes).toEqual(['repo:read']);
    const wide = await vend(provider(), narrow.credential ?? {}, ['repo:read']);
    expect(wide.scopes).toEqual(scopes);
  });

  it('asks what is left where upstream has less than it is to narrow to', async () => {
    const narrowing = provider({ downscope: true });
    const { credential } = await connect(narrowing, { scopes: ['repo:read'] });
    const left = await vend(narrowing, credential, ['repo:read', 'repo:write']);
    expect([left.scopes, left.credential?.refreshToken]).toEqual([['repo:read'], expect.any(String)]);
    // Which it does not say by silence: that means all of the grant, whatever it is by now.
    const refusal: Misbehaviour = { kind: 'answer', status: 400, body: JSON.stringify({ error: 'invalid_scope' }) };
    proxy.next(refusal, { kind: 'change', members: { scope: undefined } });
    expect((await vend(narrowing, left.credential!, ['repo:write'])).scopes).toEqual([]);
    proxy.next(refusal);
    await expect(vend(provider(), credential, ['repo:write'])).rejects.toThrow('invalid_scope');
  });

  it('authenticates in the form where the provider wants that', async () => {
    const inForm = await upstream.register(REDIRECT, { token_endpoint_auth_method: 'client_secret_post' });
    env.CONNECTOR_FORM_SECRET = inForm.clientSecret;
    const at = provider({
      client_id: inForm.clientId,
      client_secret_ref: 'CONNECTOR_FORM_SECRET',
      token_auth_method: 'client_secret_post',
    });
    expect((await connect(at)).account).toBe('ada');
  });

  it('revokes: the refresh token is over, and to revoke again is no failure', async () => {
    const at = provider();
    const { credential } = await connect(at);
    await connector.revoke(at, credential);
    await expect(vend(at, credential)).rejects.toThrow(UpstreamRefused);
    await connector.revoke(at, credential);
  });

  it('revokes as GitHub and Slack want it, where that is how a provider is told', async () => {
    const told: object[] = [];
    const status = { now: 204 };
    const server = await serve(async (req, res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      told.push([req.method, req.url, req.headers.authorization, Buffer.concat(chunks).toString()]);
      res.writeHead(status.now).end(status.now === 200 ? '{"ok":false,"error":"token_revoked"}' : '');
    });
    const own = { revocation_url: `http://127.0.0.1:${server.port}/{client_id}/grant` };
    const github = provider({ ...own, client_id: 'a b', revocation_format: 'github' });
    const slack = provider({ ...own, revocation_format: 'bearer' });
    await connector.revoke(github, { accessToken: 'gho' });
    status.now = 404;
    await connector.revoke(github, { accessToken: 'gone' });
    status.now = 200;
    await connector.revoke(slack, { accessToken: 'xoxp' });
    status.now = 500;
    await expect(connector.revoke(github, { accessToken: 'gho' })).rejects.toMatchObject({ name: 'UpstreamAway' });
    const basic = `Basic ${Buffer.from(`a b:${client.clientSecret}`).toString('base64')}`;
    expect(told.slice(0, 3)).toEqual([
      ['DELETE', '/a%20b/grant', basic, '{"access_token":"gho"}'],
      ['DELETE', '/a%20b/grant', basic, '{"access_token":"gone"}'],
      ['POST', `/${client.clientId}/grant`, 'Bearer xoxp', ''],
    ]);
    await connector.revoke(provider({ revocation_url: undefined }), { accessToken: 'nobody to tell' });
    await server.close();
  });

  it('keeps the credential that a refresh gave on the way to a revocation that then fails', async () => {
    const server = await serve((_req, res) => void res.writeHead(503).end());
    const at = provider({ revocation_url: `http://127.0.0.1:${server.port}/revoke`, revocation_format: 'bearer' });
    const { credential } = await connect(at);
    const kept: object[] = [];
    const keep = async (next: object): Promise<void> => void kept.push(next);
    await expect(connector.revoke(at, credential, { keep })).rejects.toMatchObject({ name: 'UpstreamAway' });
    expect(kept).toEqual([{ refreshToken: expect.any(String) }]);
    expect((await vend(at, kept[0]!)).accessToken).toEqual(expect.any(String));
    await server.close();
  });

  it('ends no more than the credential at GitHub when the person has connected again', async () => {
    const asked: string[] = [];
    const server = await serve((req, res) => void (asked.push(req.url ?? ''), res.writeHead(204).end()));
    const url = `http://127.0.0.1:${server.port}/applications/{client_id}/grant`;
    const at = provider({ revocation_url: url, revocation_format: 'github', client_id: 'app' });
    await connector.revoke(at, { accessToken: 'gho' }, { spare: true });
    await connector.revoke(at, { accessToken: 'gho' }, { spare: false });
    expect(asked).toEqual(['/applications/app/token', '/applications/app/grant']);
    await server.close();
  });

  it('reads the answers of Slack', async () => {
    const at = provider({
      authorize_url: `${upstream.origin}/slack/authorize`,
      token_url: `${proxy.origin}/slack/token`,
      response_format: 'slack',
      scope_parameter: 'user_scope',
      scope_separator: ',',
      account_url: undefined,
      account_member: 'authed_user.id',
    });
    const account = await connect(at, { scopes: ['repo:read', 'repo:write'] });
    expect(account).toMatchObject({ account: 'U0000ADA', scopes: ['repo:read', 'repo:write'] });
    const token = await vend(at, account.credential);
    expect(await upstream.me(token.accessToken)).toMatchObject({ status: 200 });
    await expect(vend(at, account.credential)).rejects.toThrow(new UpstreamRefused('invalid_refresh_token'));
  });

  it('takes an access token alone as the credential, where the provider says so, for as long as it lives', async () => {
    await upstream.set({ refreshTokens: false });
    const account = await connect(provider({ refresh_token: 'optional' }));
    const { accessToken } = account;
    const expiresAt = new Date(clock.now().getTime() + 600_000).toISOString();
    expect(account.credential).toEqual({ accessToken, expiresAt });
    const asked = proxy.seen.length;
    expect(await vend(provider(), { accessToken })).toEqual({ accessToken });
    clock.advance(400);
    expect(await vend(provider(), account.credential)).toEqual({ accessToken, expiresInSeconds: 200 });
    clock.advance(200);
    await expect(vend(provider(), account.credential)).rejects.toThrow(new UpstreamRefused('credential_expired'));
    expect(proxy.seen.length).toBe(asked);
  });

  it('refuses to connect without a refresh token', async () => {
    await upstream.set({ refreshTokens: false });
    await expect(connect(provider())).rejects.toMatchObject({
      name: 'UpstreamMisconfigured',
      code: 'refresh_token_missing',
    });
  });

  it('sends its own state and challenge, whatever the query of authorize_url says', async () => {
    const at = provider({ authorize_url: `${upstream.origin}/auth?state=evil&code_challenge=evil&b=1&state=evil2` });
    const request = { state: 'ours', codeChallenge: 'c', redirectUri: REDIRECT, scopes: ['a', 'b'] };
    const query = new URL(await connector.connectUrl(at, request)).searchParams;
    expect([query.getAll('state'), query.getAll('code_challenge'), query.get('b')]).toEqual([['ours'], ['c'], '1']);
    expect([query.get('scope'), query.get('prompt')]).toEqual(['a b', 'consent']);
    const splitting = { ...request, scopes: ['a,b'] };
    await expect(connector.connectUrl(provider({ scope_separator: ',' }), splitting)).rejects.toThrow(
      'scope_separator',
    );
  });

  it('[U2] refuses a callback of another issuer, before it shows anybody the code', async () => {
    const asked = (await upstream.requests()).authorization_code;
    await expect(connect(provider(), { issuer: 'https://evil.example' })).rejects.toThrow(CallbackFromElsewhere);
    await expect(connect(provider({ issuer: 'https://other.example' }))).rejects.toThrow(CallbackFromElsewhere);
    expect((await upstream.requests()).authorization_code).toBe(asked);
  });
});

describe('what the oauth connector makes of an upstream that misbehaves', () => {
  const html = { 'content-type': 'text/html' };
  const json = (body: object, status = 200): Misbehaviour => ({ kind: 'answer', status, body: JSON.stringify(body) });
  const away = (why: string, outcomeUnknown: boolean, retryAfterSeconds?: number) => ({
    name: 'UpstreamAway',
    why,
    outcomeUnknown,
    retryAfterSeconds,
  });
  const misconfigured = (code: string) => ({ name: 'UpstreamMisconfigured', code, outcomeUnknown: false });
  let connection: Promise<ConnectedAccount>;
  beforeAll(() => {
    connection = connect(provider());
    return connection;
  });
  const token = (members: object) => json({ access_token: 'a', token_type: 'bearer', ...members });

  it.each<[string, Misbehaviour, object]>([
    ['a connection that breaks before', { kind: 'drop_before' }, away('unreachable', true)],
    ['a connection that breaks after', { kind: 'drop_after' }, away('unreachable', true)],
    ['429', { kind: 'answer', status: 429, headers: { 'retry-after': '17' } }, away('rate_limited', false, 17)],
    [
      '429 for a year',
      { kind: 'answer', status: 429, headers: { 'retry-after': '31536000' } },
      away('rate_limited', false, 3600),
    ],
    [
      '429 without a time',
      { kind: 'answer', status: 429, headers: { 'retry-after': 'soon' } },
      away('rate_limited', false),
    ],
    ['500', { kind: 'answer', status: 500, headers: html, body: '<h1>oops' }, away('server_error', true)],
    ['503 that says invalid_grant', json({ error: 'invalid_grant' }, 503), away('server_error', true)],
    ['a page with 200', { kind: 'answer', status: 200, headers: html, body: '<h1>log in' }, away('nonsense', true)],
    ['half an answer', { kind: 'truncate' }, away('nonsense', true)],
    [
      'an answer without access token',
      { kind: 'change', members: { access_token: undefined } },
      away('nonsense', true),
    ],
    ['an access token with a line break', token({ access_token: 'a\nb' }), away('nonsense', true)],
    ['a refresh token that is no text', token({ refresh_token: { a: 1 } }), away('nonsense', true)],
    ['scopes that are no text', token({ scope: [1] }), away('nonsense', true)],
    [
      'a member twice',
      { kind: 'answer', status: 200, body: '{"access_token":"a","access_token":"b"}' },
      away('nonsense', true),
    ],
    ['a list', json([]), away('nonsense', true)],
    ['65 KiB', { kind: 'answer', status: 200, body: `{"a":"${'a'.repeat(66_000)}"}` }, away('nonsense', true)],
    [
      'gzip',
      { kind: 'answer', status: 200, headers: { 'content-encoding': 'gzip' }, body: 'x' },
      away('nonsense', true),
    ],
    ['temporarily_unavailable', json({ error: 'temporarily_unavailable' }, 400), away('server_error', true)],
    [
      'a redirect',
      { kind: 'answer', status: 307, headers: { location: 'http://127.0.0.1:1/' } },
      misconfigured('http_307'),
    ],
    ['a page with 404', { kind: 'answer', status: 404, headers: html, body: '<h1>what?' }, misconfigured('http_404')],
    ['invalid_client', json({ error: 'invalid_client' }, 401), misconfigured('invalid_client')],
    ['unauthorized_client', json({ error: 'unauthorized_client' }, 400), misconfigured('unauthorized_client')],
    ['invalid_scope', json({ error: 'invalid_scope' }, 400), misconfigured('invalid_scope')],
    [
      'a wrong secret with 200',
      json({ error: 'incorrect_client_credentials' }),
      misconfigured('incorrect_client_credentials'),
    ],
    ['an error code with a line break', json({ error: 'invalid_grant\nx' }, 400), misconfigured('unreadable')],
    [
      'a token that must be proven',
      token({ token_type: 'DPoP' }),
      { ...misconfigured('token_type_not_bearer'), outcomeUnknown: true },
    ],
    [
      'invalid_grant',
      json({ error: 'invalid_grant', error_description: 'x' }, 400),
      { name: 'UpstreamRefused', code: 'invalid_grant' },
    ],
    [
      'a bad token with 200',
      json({ error: 'bad_refresh_token' }),
      { name: 'UpstreamRefused', code: 'bad_refresh_token' },
    ],
  ])('%s', async (_, behaviour, expected) => {
    await upstream.set({ rotate: false });
    const { credential } = await connection;
    proxy.always(behaviour);
    const error: unknown = await vend(provider(), credential).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(expected);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toMatch(/oops|log in/);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(credential.refreshToken);
  });

  it('a connection that is refused: certainly nothing happened', async () => {
    const nowhere = provider({ token_url: 'http://127.0.0.1:9/token' });
    await expect(vend(nowhere, { refreshToken: 'r' })).rejects.toMatchObject(away('unreachable', false));
  });

  it('an address of the link, as metadata of clouds have it, is never asked, in whatever spelling', async () => {
    for (const host of ['169.254.169.254', '[fe80::1]', '0xa9fea9fe', '2852039166', '[::ffff:a9fe:a9fe]']) {
      const metadata = provider({ token_url: `http://${host}/token` });
      await expect(vend(metadata, { refreshToken: 'r' })).rejects.toMatchObject(misconfigured('config_data'));
    }
  });

  it('a lifetime that is no number is unknown; the rest of the answer holds', async () => {
    proxy.next(token({ expires_in: 'soon' }), token({ expires_in: '60' }), token({ expires_in: -1 }), token({}));
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push((await vend(provider(), { refreshToken: 'r' })).expiresInSeconds);
    expect(answers).toEqual([undefined, 60, undefined, undefined]);
  });

  it('an API that does not tell whose account it is does not end the connecting', async () => {
    const account = await connect(provider({ account_url: `${proxy.origin}/nowhere` }));
    expect(account.account).toBeUndefined();
    expect(account.credential.refreshToken).toBeDefined();
  });

  it('a secret that is not set is the operator’s fault, and upstream is not asked', async () => {
    const asked = proxy.seen.length;
    const at = provider({ client_secret_ref: 'CONNECTOR_NOWHERE' });
    await expect(vend(at, { refreshToken: 'r' })).rejects.toMatchObject(misconfigured('secret_missing'));
    expect(proxy.seen.length).toBe(asked);
  });
});
