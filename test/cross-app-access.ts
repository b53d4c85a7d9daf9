import {
  Client,
  CrossAppAccessProvider,
  StreamableHTTPClientTransport,
  type CrossAppAccessContext,
} from '@modelcontextprotocol/client';
import type { TestApp } from './app.js';
import { aConfidentialClient, aResource, pkce, type ClientFixture, type ResourceFixture } from './builders.js';
import { startExample } from './example-server.js';
import { letActAs } from './exchanges.js';
import { HttpBrowser } from './http-browser.js';
import { anXaaClient, created } from './idp.js';
import type { Idp, IdpClient } from './idp/idp.js';

/** An MCP server that the tokens of `app` open, and the client of an agent there. */
export interface NotesServer {
  readonly app: TestApp;
  readonly url: string;
  readonly resource: ResourceFixture;
  readonly client: ClientFixture;
  close(): Promise<void>;
}

/** The example of this repository, which asks about every token. */
export async function aNotesServer(app: TestApp): Promise<NotesServer> {
  const asking = await aConfidentialClient(app, { grant_types: ['client_credentials'], redirect_uris: [] });
  let resource: ResourceFixture | undefined;
  const example = await startExample(async (uri) => {
    resource = await aResource(app, { uri });
    await letActAs(app, resource, asking);
    const introspection = { clientId: asking.id, clientSecret: asking.secret ?? '' };
    return { issuer: app.issuer, introspection, now: () => app.clock.now() };
  });
  if (!resource) throw new Error('the example was not registered');
  return { app, url: example.resource, resource, client: await anXaaClient(app), close: example.close };
}

export interface Trusted {
  readonly idpId: string;
  readonly policyId: string;
}

/** The operator of the MCP server's authorization server trusts a company, as far as a policy says. */
export async function trust({ app, resource, client }: NotesServer, issuer: string, policy: object): Promise<Trusted> {
  const { id: idpId } = await created(app, '/admin/idps', { name: 'Company', issuer });
  const { id: policyId } = await created(app, '/admin/xaa/policies', {
    idp_id: idpId,
    client_ids: [client.id],
    resources: [resource.uri],
    ...policy,
  });
  return { idpId, policyId };
}

/** An agent built with the official SDK, and every request that it made. */
export interface Agent {
  readonly client: Client;
  readonly requests: string[];
  readonly tokenAnswers: any[];
  connect(): Promise<void>;
  call(tool: string, args?: Record<string, unknown>): Promise<string>;
}

/** @param assertion has the company's word for it */
export function anSdkAgent(
  { app, url, client: { id, secret } }: NotesServer,
  assertion: (context: CrossAppAccessContext) => Promise<string>,
): Agent {
  const requests: string[] = [];
  const tokenAnswers: unknown[] = [];
  const watched = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const at = new URL(input instanceof Request ? input.url : input);
    requests.push(`${init?.method ?? 'GET'} ${at.origin}${at.pathname}`);
    const response = await fetch(input, init);
    if (at.href === `${app.issuer}/oauth/token`) tokenAnswers.push(await response.clone().json());
    return response;
  };
  const authProvider = new CrossAppAccessProvider({
    assertion,
    clientId: id,
    clientSecret: secret ?? '',
    expectedIssuer: app.issuer,
    fetchFn: watched,
  });
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: watched });
  const client = new Client({ name: 'an-agent', version: '1.0.0' });
  return {
    client,
    requests,
    tokenAnswers,
    connect: () => client.connect(transport),
    call: async (name, args = {}) => {
      const { content } = await client.callTool({ name, arguments: args });
      return (content as { text: string }[]).map(({ text }) => text).join('\n');
    },
  };
}

/** Somebody signs in at the company with a client of theirs. @returns the ID token */
export async function idTokenOf(idp: Idp, { clientId, clientSecret }: IdpClient, login: string): Promise<string> {
  const { verifier, challenge } = pkce();
  const redirect = 'https://agent.example/callback';
  const query = { response_type: 'code', client_id: clientId, redirect_uri: redirect, scope: 'openid', state: 'a' };
  const parameters = new URLSearchParams({ ...query, code_challenge: challenge, code_challenge_method: 'S256' });
  const browser = new HttpBrowser();
  const back = await idp.signIn(browser, await browser.get(`${idp.origin}/auth?${parameters}`), login);
  const code = new URL(back.location ?? '').searchParams.get('code') ?? '';
  const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirect };
  const body = new URLSearchParams({ ...form, client_id: clientId, client_secret: clientSecret });
  const answer = (await (await fetch(`${idp.origin}/token`, { method: 'POST', body })).json()) as { id_token?: string };
  if (answer.id_token === undefined) throw new Error(JSON.stringify(answer));
  return answer.id_token;
}
