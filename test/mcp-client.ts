import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UnauthorizedError, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Page } from 'playwright-core';

export interface Credentials {
  readonly email: string;
  readonly password: string;
}

export interface BrowserAnswer {
  readonly credentials: Credentials;
  /** Untick every other scope; without it the boxes stay as the page has them. */
  readonly scopes?: readonly string[];
  readonly decision?: 'allow' | 'deny';
}

export interface McpClientOptions {
  readonly redirectUrl: string;
  /** The https URL of a Client ID Metadata Document; without it the client registers itself. */
  readonly clientMetadataUrl?: string;
  readonly metadata?: Partial<OAuthClientMetadata>;
}

/** The official SDK's view of an application: it keeps everything in memory and records where it was sent. */
export class InMemoryClient implements OAuthClientProvider {
  readonly clientMetadataUrl?: string;
  readonly redirectUrl: string;
  readonly clientMetadata: OAuthClientMetadata;
  /** Every authorization URL this client was sent to, the newest last. */
  readonly authorizationUrls: URL[] = [];
  /** Every token answer, the newest last. */
  readonly tokenAnswers: OAuthTokens[] = [];
  registration: OAuthClientInformationMixed | undefined;
  lastState: string | undefined;
  #tokens: OAuthTokens | undefined;
  #verifier = '';

  constructor(options: McpClientOptions) {
    this.redirectUrl = options.redirectUrl;
    if (options.clientMetadataUrl !== undefined) this.clientMetadataUrl = options.clientMetadataUrl;
    this.clientMetadata = {
      client_name: 'An MCP client',
      redirect_uris: [options.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      ...options.metadata,
    };
  }

  state(): string {
    return (this.lastState = randomBytes(16).toString('base64url'));
  }
  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.registration;
  }
  saveClientInformation(information: OAuthClientInformationMixed): void {
    this.registration = information;
  }
  tokens(): OAuthTokens | undefined {
    return this.#tokens;
  }
  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens;
    this.tokenAnswers.push(tokens);
  }
  redirectToAuthorization(url: URL): void {
    this.authorizationUrls.push(url);
  }
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }
  codeVerifier(): string {
    return this.#verifier;
  }
  invalidateCredentials(scope: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): void {
    if (scope === 'all' || scope === 'client') this.registration = undefined;
    if (scope === 'all' || scope === 'tokens') this.#tokens = undefined;
  }
}

export interface CallbackReceiver {
  readonly url: string;
  /** What the browser brought, in the order of arrival. */
  readonly received: URLSearchParams[];
  answerTo(state: string): URLSearchParams | undefined;
  close(): Promise<void>;
}

/** The loopback redirect of a native application (RFC 8252 §7.3): an HTTP server on 127.0.0.1 and a free port. */
export async function startCallbackReceiver(path = '/callback'): Promise<CallbackReceiver> {
  const received: URLSearchParams[] = [];
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://127.0.0.1');
    if (url.pathname !== path) return void res.writeHead(404).end();
    received.push(url.searchParams);
    res
      .setHeader('Content-Type', 'text/html')
      .end('<!doctype html><title>Done</title><h1>You can close this window</h1>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    received,
    answerTo: (state) => received.find((answer) => answer.get('state') === state),
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
    },
  };
}

/** Signs in where the login page asks, and answers the consent page, as a person would. Ends at the page after. */
export async function answerInBrowser(page: Page, authorizationUrl: URL, answer: BrowserAnswer): Promise<void> {
  await page.goto(authorizationUrl.href);
  const password = page.locator('input[name="password"]');
  if (await password.isVisible()) {
    await page.locator('input[name="email"]').fill(answer.credentials.email);
    await password.fill(answer.credentials.password);
    await password.press('Enter');
  }
  const decide = page.locator(`button[name="decision"][value="${answer.decision ?? 'allow'}"]`);
  await decide.or(page.locator('body:not(:has(form))')).first().waitFor();
  await page.waitForLoadState(); // a page that is still coming may have no form yet
  if (!(await decide.isVisible())) return;
  if (answer.scopes) {
    for (const box of await page.locator('input[type="checkbox"][name^="scope:"]').all()) {
      const name = (await box.getAttribute('name'))?.slice('scope:'.length) ?? '';
      await box.setChecked(answer.scopes.includes(name));
    }
  }
  await decide.click();
  await decide.waitFor({ state: 'detached' });
}

export interface Connection {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

interface FetchOption {
  readonly fetch?: FetchLike | undefined;
}

export interface ConnectOptions extends BrowserAnswer, FetchOption {
  readonly provider: InMemoryClient;
  readonly callback: CallbackReceiver;
}

/** Connects with what the provider has; throws the SDK's UnauthorizedError when a person must be asked first. */
export function connect(mcpUrl: string, provider: InMemoryClient, options: FetchOption = {}): Promise<Connection> {
  return prepare(mcpUrl, provider, options).open();
}

/**
 * The whole way of a new user: discovery, registration, login, consent, token, connection.
 *
 * @throws {Error} with the `error` of the answer when the server or the person refused.
 */
export async function connectWithBrowser(page: Page, mcpUrl: string, options: ConnectOptions): Promise<Connection> {
  const { provider, fetch } = options;
  const asking = prepare(mcpUrl, provider, { fetch });
  try {
    return await asking.open();
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  await finishInBrowser(page, asking.transport, options);
  return connect(mcpUrl, provider, { fetch });
}

/**
 * The SDK's client asks for a stream of events behind the back of whoever connects. `open()` waits for the answer to that, so
 * that a test which then moves the clock has no second request under way that refreshes as well.
 */
function prepare(
  mcpUrl: string,
  provider: InMemoryClient,
  options: FetchOption,
): Connection & { open(): Promise<Connection> } {
  const { fetch: send = fetch } = options;
  let streamAnswered = (): void => undefined;
  const streamAnswer = new Promise<void>((resolve) => (streamAnswered = resolve));
  const watched: FetchLike = async (url, init) => {
    const response = await send(url, init);
    if (init?.method === 'GET' && String(url) === mcpUrl) streamAnswered();
    return response;
  };
  const transport = new StreamableHTTPClientTransport(new URL(mcpUrl), { authProvider: provider, fetch: watched });
  const client = new Client({ name: 'authplane-tests', version: '1.0.0' });
  const open = async () => {
    await client.connect(transport);
    await streamAnswer;
    return { client, transport };
  };
  return { client, transport, open };
}

/** Goes to the newest authorization URL of the provider and exchanges the code: the first time, and for a step-up after a 403. */
export async function finishInBrowser(
  page: Page,
  transport: StreamableHTTPClientTransport,
  options: ConnectOptions,
): Promise<URLSearchParams> {
  const { provider, callback } = options;
  const url = provider.authorizationUrls.at(-1);
  if (!url) throw new Error('the client was not sent to an authorization endpoint');
  await answerInBrowser(page, url, options);
  const answer = callback.answerTo(url.searchParams.get('state') ?? '');
  if (!answer) throw new Error(`no answer came; the browser shows "${await page.title()}" at ${page.url()}`);
  const code = answer.get('code');
  if (code === null) throw new Error(`the authorization was refused: ${answer.get('error')}`);
  await transport.finishAuth(code);
  return answer;
}
