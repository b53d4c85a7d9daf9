import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  aConfidentialClient,
  aResource,
  audited,
  aUser,
  postForm,
  type ClientFixture,
  type UserFixture,
} from '../builders.js';
import { startTestApp, type TestApp } from '../app.js';
import { startExample, type RunningExample } from '../example-server.js';
import { connectWithBrowser, InMemoryClient, startCallbackReceiver, type CallbackReceiver } from '../mcp-client.js';
import { trustedCertificate } from '../tls.js';
import { closeBrowser, withPage } from './chromium.js';

let app: TestApp;
let example: RunningExample;
let server: ClientFixture;
let callback: CallbackReceiver;
let documents: Server;
let documentUrl: string;

beforeAll(async () => {
  // A document of an https host on this machine: allowed for a localhost issuer when the operator says so.
  app = await startTestApp({ settings: { CIMD_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  server = await aConfidentialClient(app, { client_name: 'The notes server' });
  callback = await startCallbackReceiver();
  documents = await publishDocument(callback.url);
  documentUrl = `https://localhost:${(documents.address() as AddressInfo).port}/client.json`;
  example = await startExample(async (resource) => {
    await aResource(app, {
      slug: 'notes',
      uri: resource,
      policy: { runtime: { client_ids: [server.id] } },
    });
    const introspection = { clientId: server.id, clientSecret: server.secret! };
    return { issuer: app.issuer, introspection, now: () => app.clock.now() };
  });
});

afterAll(async () => {
  await closeBrowser();
  await example.close();
  await callback.close();
  documents.close();
  await app.close();
});

/** The client's metadata document on an https host of its own. */
function publishDocument(redirectUrl: string): Promise<Server> {
  const { key, cert } = trustedCertificate();
  const https = createServer({ key, cert }, (req, res) => {
    const url = `https://${req.headers.host}/client.json`;
    res.setHeader('Content-Type', 'application/json').end(
      JSON.stringify({
        client_id: url,
        client_name: 'A client of the world',
        redirect_uris: [redirectUrl],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      }),
    );
  });
  return new Promise((listening) => https.listen(0, '127.0.0.1', () => listening(https)));
}

/** The whole of the first issue: from knowing nothing but the MCP server's URL to being cut off. */
async function fromDiscoveryToCutOff(provider: InMemoryClient, user: UserFixture): Promise<void> {
  await withPage(async (page) => {
    const options = { provider, callback, credentials: user };
    const { client, transport } = await connectWithBrowser(page, example.resource, options);
    const call = () => client.callTool({ name: 'add_note', arguments: { text: 'milk' } });
    expect((await call()).isError).not.toBe(true);
    const first = provider.tokens()!;
    expect(first).toMatchObject({ token_type: 'Bearer', scope: 'notes:read notes:write' });

    // Expiry: the MCP server refuses the token, and the SDK refreshes by itself.
    app.clock.advance(first.expires_in! + 1);
    expect((await call()).isError).not.toBe(true);
    const second = provider.tokens()!;
    expect(second.access_token).not.toBe(first.access_token);
    expect(second.refresh_token).not.toBe(first.refresh_token);

    // Revoked: refused at the very next call, and there is nothing left to refresh with.
    const { client_id: id } = provider.clientInformation()!;
    const revoked = await postForm(app, '/oauth/revoke', { token: second.refresh_token!, client_id: id });
    expect(revoked.status).toBe(200);
    const authorizations = provider.authorizationUrls.length;
    await expect(call()).rejects.toThrow(UnauthorizedError);
    expect(provider.authorizationUrls.length).toBe(authorizations + 1);
    await transport.close();
  });
}

describe('the official MCP client', () => {
  it('[A5 A16 R1] discovers, uses its metadata document, signs a person in, calls a tool, refreshes, and is cut off', async () => {
    const user = await aUser(app);
    const provider = new InMemoryClient({ redirectUrl: callback.url, clientMetadataUrl: documentUrl });
    await fromDiscoveryToCutOff(provider, user);
    expect(provider.clientInformation()!.client_id).toBe(documentUrl);
    const [client] = await app.sql('select registration_source, version::int from clients where id = $1', [
      documentUrl,
    ]);
    expect(client).toMatchObject({ registration_source: 'cimd' });
  });

  it('[A6] does the same after registering itself', async () => {
    const user = await aUser(app);
    const provider = new InMemoryClient({ redirectUrl: callback.url });
    await fromDiscoveryToCutOff(provider, user);
    expect((await audited(app, 'client.registered'))[0]).toMatchObject({
      client_id: provider.clientInformation()!.client_id,
      detail: { source: 'dcr' },
    });
  });

  it('is told when the person says no', async () => {
    const user = await aUser(app);
    const provider = new InMemoryClient({ redirectUrl: callback.url });
    await withPage(async (page) => {
      const options = { provider, callback, credentials: user, decision: 'deny' as const };
      await expect(connectWithBrowser(page, example.resource, options)).rejects.toThrow('access_denied');
    });
  });

  it('is refused the tool that the person did not allow, and may call the other', async () => {
    const user = await aUser(app);
    const provider = new InMemoryClient({ redirectUrl: callback.url });
    await withPage(async (page) => {
      const narrow = { provider, callback, credentials: user, scopes: ['notes:read'] };
      const { client } = await connectWithBrowser(page, example.resource, narrow);
      expect(provider.tokens()!.scope).toBe('notes:read');
      expect((await client.callTool({ name: 'list_notes', arguments: {} })).isError).not.toBe(true);
      await expect(client.callTool({ name: 'add_note', arguments: { text: 'eggs' } })).rejects.toThrow();
    });
  });
});
