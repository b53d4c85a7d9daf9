import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startExample, type RunningExample } from './example-server.js';

/** An issuer of one key, so that tokens can be wrong in ways the real server never signs. */
class StandInIssuer {
  readonly revoked = new Set<string>();
  away = false;
  issuer = '';
  #server!: Server;
  #key!: CryptoKey;
  #jwks = {};

  async start(): Promise<void> {
    const pair = await generateKeyPair('ES256');
    this.#key = pair.privateKey;
    this.#jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }] };
    this.#server = createServer((req, res) => void this.#answer(req, res));
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.issuer = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  token(claims: JWTPayload, header: { typ?: string; alg?: string } = {}, key: CryptoKey = this.#key): Promise<string> {
    const all = { iss: this.issuer, sub: 'user-1', client_id: 'client-1', jti: 'jti-1', iat: 0, exp: 900, ...claims };
    return new SignJWT(all).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'one', ...header }).sign(key);
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of req) body += String(chunk);
    if (this.away) return void res.writeHead(503).end();
    res.setHeader('Content-Type', 'application/json');
    const { issuer } = this;
    const documents: Record<string, unknown> = {
      '/.well-known/oauth-authorization-server': {
        issuer,
        jwks_uri: `${issuer}/jwks`,
        introspection_endpoint: `${issuer}/introspect`,
      },
      '/jwks': this.#jwks,
      '/introspect': { active: !this.revoked.has(new URLSearchParams(body).get('token') ?? '') },
    };
    res.end(JSON.stringify(documents[req.url ?? '']));
  }
}

const as = new StandInIssuer();
let now = new Date(0);
let plain: RunningExample;
let asking: RunningExample;

beforeAll(async () => {
  await as.start();
  const options = { issuer: as.issuer, now: () => now };
  plain = await startExample(() => Promise.resolve(options));
  asking = await startExample(() =>
    Promise.resolve({ ...options, introspection: { clientId: 'notes', clientSecret: 'secret' } }),
  );
});

afterAll(async () => {
  await Promise.all([plain.close(), asking.close()]);
  as.close();
});

function call(
  example: RunningExample,
  token: string | undefined,
  tool = 'list_notes',
  args: object = {},
): Promise<Response> {
  return fetch(example.resource, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ ...callOf(tool), params: { name: tool, arguments: args } }),
  });
}

const readToken = (claims: JWTPayload = {}) => as.token({ aud: plain.resource, scope: 'notes:read', ...claims });
const metadataOf = (example: RunningExample) =>
  example.resource.replace('/mcp', '/.well-known/oauth-protected-resource/mcp');

describe('what the example tells a stranger', () => {
  it.each(['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'])(
    '[R1 R8] serves its metadata at %s',
    async (path) => {
      const response = await fetch(new URL(path, plain.resource));
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(await response.json()).toEqual({
        resource: plain.resource,
        authorization_servers: [as.issuer],
        scopes_supported: ['notes:read', 'notes:write'],
        bearer_methods_supported: ['header'],
        resource_name: 'Notes',
      });
    },
  );

  it('[R1 R2 R4 R8] challenges a request without a token, naming metadata and scopes', async () => {
    const response = await call(plain, undefined);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer scope="notes:read notes:write", resource_metadata="${metadataOf(plain)}"`,
    );
  });

  it('names its MCP endpoint to whoever forgot the path', async () => {
    const response = await fetch(new URL('/', plain.resource), { method: 'POST' });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: 'not_found', mcp_endpoint: plain.resource });
  });

  it.each(['oauth-authorization-server', 'openid-configuration', 'oauth-authorization-server/mcp'])(
    'names the authorization server to whoever asks it for %s',
    async (name) => {
      const response = await fetch(new URL(`/.well-known/${name}`, plain.resource));
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ authorization_servers: [as.issuer] });
    },
  );

  it('refuses a Host that is not its own, as DNS rebinding would send it', async () => {
    const { port } = new URL(plain.resource);
    const headers = { Host: 'evil.example' };
    const status = await new Promise((resolve) => {
      get({ host: '127.0.0.1', port, path: '/mcp', headers }, (res) => resolve(res.statusCode));
    });
    expect(status).toBe(403);
  });
});

describe('which tokens the example accepts', () => {
  it('[R3] answers the tools of the person whom the token is for', async () => {
    const ada = await as.token({ aud: plain.resource, scope: 'notes:read notes:write', sub: 'ada' });
    const bob = await readToken({ sub: 'bob' });
    expect(await (await call(plain, ada, 'add_note', { text: 'milk' })).text()).toContain('Added note');
    expect(await (await call(plain, ada)).text()).toContain('milk');
    expect(await (await call(plain, bob)).text()).toContain('You have no notes.');
  });

  const wrong: [what: string, make: () => Promise<string>, description: string][] = [
    [
      'of another resource',
      () => readToken({ aud: 'http://localhost:8080/other' }),
      'token was issued for another resource',
    ],
    [
      'of a resource that is spelled alike',
      () => readToken({ aud: `${plain.resource}/` }),
      'token was issued for another resource',
    ],
    ['without an audience', () => readToken({ aud: undefined }), 'token was issued for another resource'],
    ['of another issuer', () => readToken({ iss: 'http://127.0.0.1:1' }), 'token is invalid'],
    ['that never expires', () => readToken({ exp: undefined }), 'token is invalid'],
    ['that is no access token', () => as.token({ aud: plain.resource }, { typ: 'JWT' }), 'token is invalid'],
    [
      'signed by somebody else',
      async () => as.token({ aud: plain.resource }, {}, (await generateKeyPair('ES256')).privateKey),
      'token is invalid',
    ],
    ['signed by nobody', () => Promise.resolve(unsigned()), 'token is invalid'],
    ['that is no JWT', () => Promise.resolve('ap_at_nonsense'), 'token is invalid'],
  ];

  it.each(wrong)('[R3 R4] refuses a token %s', async (_, make, description) => {
    const response = await call(plain, await make());
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer error="invalid_token", error_description="${description}", scope="notes:read notes:write", resource_metadata="${metadataOf(plain)}"`,
    );
  });

  it('[R4] refuses a token from the second it expires', async () => {
    const token = await readToken();
    now = new Date(899_000);
    expect((await call(plain, token)).status).toBe(200);
    now = new Date(900_000);
    const response = await call(plain, token);
    now = new Date(0);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('token has expired');
  });

  it('refuses a revoked token at once when it may ask, and until it expires when it may not', async () => {
    const claims = { aud: [plain.resource, asking.resource], scope: 'notes:read' };
    const token = await as.token(claims);
    expect((await call(asking, token)).status).toBe(200);
    as.revoked.add(token);
    expect((await call(asking, token)).status).toBe(401);
    expect((await call(plain, token)).status).toBe(200);
  });

  it('calls no good token bad while the authorization server is away', async () => {
    as.away = true;
    const response = await call(asking, await as.token({ aud: asking.resource, scope: 'notes:read' }));
    as.away = false;
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(response.headers.get('www-authenticate')).toBeNull();
  });
});

describe('what the example lets a token do', () => {
  it('[R4 R5] refuses a tool whose scope is missing, naming all that the next token needs', async () => {
    const response = await call(plain, await readToken(), 'add_note', { text: 'x' });
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_scope", error_description="this call needs notes:write", ' +
        `scope="notes:read notes:write", resource_metadata="${metadataOf(plain)}"`,
    );
  });

  it('[R5] refuses it inside a batch too', async () => {
    const response = await fetch(plain.resource, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${await readToken()}` },
      body: JSON.stringify(['list_notes', 'delete_note'].map(callOf)),
    });
    expect(response.status).toBe(403);
  });

  it('[R6] lets whoever may write also read', async () => {
    const token = await readToken({ scope: 'notes:write' });
    expect((await call(plain, token)).status).toBe(200);
  });

  it('speaks MCP to the official client', async () => {
    const token = await readToken({ sub: 'carol', scope: 'notes:write' });
    const client = new Client({ name: 'tests', version: '1.0.0' });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(plain.resource), {
        requestInit: { headers: { Authorization: `Bearer ${token}` } },
      }),
    );
    expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual([
      'list_notes',
      'add_note',
      'delete_note',
    ]);
    const added = await client.callTool({ name: 'add_note', arguments: { text: 'eggs' } });
    const id = Number(/\d+/.exec(JSON.stringify(added.content))?.[0]);
    expect(await client.callTool({ name: 'delete_note', arguments: { id } })).toMatchObject({
      content: [{ type: 'text', text: `Deleted note ${id}.` }],
    });
    await client.close();
  });
});

function callOf(tool: string) {
  return { jsonrpc: '2.0', id: tool, method: 'tools/call', params: { name: tool, arguments: {} } };
}

function unsigned(): string {
  const claims = { iss: as.issuer, aud: plain.resource, sub: 'u', client_id: 'c', jti: 'j', iat: 0, exp: 900 };
  return `${jwtPart({ alg: 'none', typ: 'at+jwt' })}.${jwtPart(claims)}.`;
}

const jwtPart = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
