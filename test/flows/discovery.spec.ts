import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aResource } from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

const json = async (url: string): Promise<any> => (await fetch(url)).json();

describe('the metadata of the server', () => {
  it('[A2 A3 A4 A5 A8 B5 K1 K2] is the same document at both places, without null and without what does not work', async () => {
    const [oauth, openid] = await Promise.all(
      ['oauth-authorization-server', 'openid-configuration'].map((name) => json(`${app.issuer}/.well-known/${name}`)),
    );
    expect(openid).toEqual(oauth);
    expect(oauth).toEqual({
      issuer: app.issuer,
      authorization_endpoint: `${app.issuer}/oauth/authorize`,
      token_endpoint: `${app.issuer}/oauth/token`,
      registration_endpoint: `${app.issuer}/oauth/register`,
      revocation_endpoint: `${app.issuer}/oauth/revoke`,
      introspection_endpoint: `${app.issuer}/oauth/introspect`,
      jwks_uri: `${app.issuer}/.well-known/jwks.json`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      revocation_endpoint_auth_methods_supported: [
        'none',
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
      ],
      token_endpoint_auth_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      revocation_endpoint_auth_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      introspection_endpoint_auth_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      resource_indicators_supported: true,
      client_id_metadata_document_supported: true,
      dpop_signing_alg_values_supported: ['ES256', 'RS256', 'PS256', 'EdDSA'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });

  it('[K1] may be read by browsers of any origin, with the header that SDKs send', async () => {
    const preflight = await fetch(`${app.issuer}/.well-known/oauth-authorization-server`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://inspector.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'mcp-protocol-version',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('MCP-Protocol-Version');
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('[B22] but not the authorization endpoint', async () => {
    for (const path of ['/oauth/authorize', '/login', '/consent', '/account']) {
      const answer = await fetch(`${app.issuer}${path}`, {
        headers: { origin: 'https://elsewhere.example' },
        redirect: 'manual',
      });
      expect(answer.headers.get('access-control-allow-origin'), path).toBeNull();
    }
  });

  it('[K1] an unknown variant is 404, so that a client tries the next one', async () => {
    for (const path of ['/.well-known/oauth-authorization-server/elsewhere', '/.well-known/webfinger']) {
      const answer = await fetch(`${app.issuer}${path}`);
      expect([answer.status, (await answer.json()).error], path).toEqual([404, 'not_found']);
    }
  });

  it('names no registration endpoint while only operators register', async () => {
    await app.admin('PATCH', '/admin/settings/dcr', { mode: 'admin_only' });
    expect(await json(`${app.issuer}/.well-known/oauth-authorization-server`)).not.toHaveProperty(
      'registration_endpoint',
    );
    await app.admin('PATCH', '/admin/settings/dcr', { mode: 'open' });
  });
});

describe('an issuer with a path', () => {
  it('[8414.1 K1] serves its metadata inserted, appended and bare, and everything else below the path', async () => {
    const base = await startTestApp();
    const issuer = `${base.issuer}/tenants/one`;
    await base.close();
    const port = new URL(issuer).port;
    const nested = await startTestApp({
      settings: { SERVER_ISSUER: issuer, SERVER_ADDRESS: `127.0.0.1:${port}` },
    });
    try {
      const origin = new URL(issuer).origin;
      for (const url of [
        `${origin}/.well-known/oauth-authorization-server/tenants/one`,
        `${origin}/.well-known/openid-configuration/tenants/one`,
        `${issuer}/.well-known/openid-configuration`,
        `${issuer}/.well-known/oauth-authorization-server`,
      ]) {
        expect((await json(url)).issuer, url).toBe(issuer);
      }
      expect((await fetch(`${issuer}/oauth/token`, { method: 'POST' })).status).toBe(415);
      expect((await fetch(`${origin}/oauth/token`, { method: 'POST' })).status).toBe(404);
      expect((await fetch(`${issuer}/login`)).status).toBe(200);
      expect((await fetch(`${origin}/livez`)).status).toBe(200);
    } finally {
      await nested.close();
    }
  });
});

describe('protected resource metadata', () => {
  const at = (ref: string) => fetch(`${app.issuer}/.well-known/oauth-protected-resource${ref}`);

  it('[9728.1] is served for every resource by its slug and by the path of its URI', async () => {
    const resource = await aResource(app, { uri: `https://api.example/${Date.now()}/mcp` });
    for (const ref of [`/${resource.slug}`, new URL(resource.uri).pathname]) {
      expect(await (await at(ref)).json()).toEqual({
        resource: resource.uri,
        authorization_servers: [app.issuer],
        scopes_supported: ['notes:read', 'notes:write'],
        bearer_methods_supported: ['header'],
        resource_name: 'Notes',
      });
    }
  });

  it('[9728.2] is 404 for what is unknown, ambiguous, or no UTF-8', async () => {
    const path = `/twice-${Date.now()}`;
    await aResource(app, { uri: `https://one.example${path}` });
    await aResource(app, { uri: `https://two.example${path}` });
    for (const ref of ['/nothing', path, '/%ff', '']) expect((await at(ref)).status, ref).toBe(404);
  });
});

describe('health', () => {
  it('answers on both listeners', async () => {
    for (const base of [app.url, app.adminUrl]) {
      expect((await fetch(`${base}/livez`)).status).toBe(200);
      expect(await json(`${base}/ready`)).toMatchObject({ status: 'ok', database: 'ok' });
    }
  });
});
