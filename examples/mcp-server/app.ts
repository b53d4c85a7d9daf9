import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Express, NextFunction, Request, Response } from 'express';
import { includedIn, Notebook, notesServer, scopeOfTool, scopes, type Scope } from './notes.js';
import { TokenRefused, TokenVerifier, wellKnown, type Caller, type VerifierOptions } from './token-verifier.js';

export type ExampleOptions = VerifierOptions;

/**
 * What a client is told to ask for at first: all of it, and the person unticks on the consent page what it should not have.
 * A server whose clients can all ask again after a 403 would name less; many refresh instead, and the narrow scope stays.
 */
const everyScope = Object.keys(scopes).join(' ');

/**
 * An MCP server (Streamable HTTP, stateless) that only people who allowed it with AuthPlane can call.
 *
 * Every request carries its token; there is no session to steal and any replica can answer.
 */
export function createExample(options: ExampleOptions): Express {
  const { resource, issuer } = options;
  const { pathname, hostname } = new URL(resource);
  const metadataUrl = wellKnown('oauth-protected-resource', resource);
  const verifier = new TokenVerifier(options);
  const notebook = new Notebook();
  // The host check stops a web page that points its own name at 127.0.0.1 (DNS rebinding).
  const app = createMcpExpressApp({ allowedHosts: [hostname, 'localhost', '127.0.0.1', '[::1]'] });
  app.disable('x-powered-by').disable('etag');

  // RFC 9728 §3: where a client learns which authorization server to ask.
  app.get([new URL(metadataUrl).pathname, '/.well-known/oauth-protected-resource'], (_req, res) => {
    res.set('Access-Control-Allow-Origin', '*').json({
      resource,
      authorization_servers: [issuer],
      scopes_supported: Object.keys(scopes),
      bearer_methods_supported: ['header'],
      resource_name: 'Notes',
    });
  });

  app.all(pathname, authenticate, requireScopes, async (req, res) => {
    if (req.method !== 'POST')
      return void res.status(405).set('Allow', 'POST').json(problem('only POST is answered here'));
    const server = notesServer(notebook, callerOf(res).subject);
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
    res.on('close', () => void server.close());
    await server.connect(transport);
    await transport.handleRequest(req, res, req.body);
  });

  app.use((req, res) => {
    const asksForServer = /^\/\.well-known\/(oauth-authorization-server|openid-configuration)/.test(req.path);
    if (asksForServer)
      res.status(404).json({ ...problem('this is a resource server'), authorization_servers: [issuer] });
    else res.status(404).json({ ...problem(`the MCP endpoint is ${resource}`), mcp_endpoint: resource });
  });
  app.use(answerFailure);
  return app;

  /** RFC 6750 §2.1: the token comes in the header, and nowhere else. */
  async function authenticate(req: Request, res: Response, next: NextFunction): Promise<void> {
    const [, token] = /^Bearer +([\w~+/.-]+=*)$/i.exec(req.get('authorization') ?? '') ?? [];
    if (token === undefined) return challenge(res, 401, { scope: everyScope });
    try {
      res.locals['caller'] = await verifier.verify(token);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      return challenge(res, 401, { error: 'invalid_token', error_description: error.message, scope: everyScope });
    }
    next();
  }

  /** The challenge names what the token has already as well, so that the next token can do both. */
  function requireScopes(req: Request, res: Response, next: NextFunction): void {
    const granted = [...callerOf(res).scopes].filter((name): name is Scope => name in scopes);
    const allowed = new Set(granted.flatMap((name) => [name, ...includedIn[name]]));
    const missing = scopesNeeded(req.body).filter((name) => !allowed.has(name));
    if (missing.length === 0) return next();
    const scope = [...new Set([...granted, ...missing])].join(' ');
    challenge(res, 403, {
      error: 'insufficient_scope',
      error_description: `this call needs ${missing.join(' ')}`,
      scope,
    });
  }

  function challenge(res: Response, status: 401 | 403, parameters: Record<string, string>): void {
    const all = Object.entries({ ...parameters, resource_metadata: metadataUrl });
    res.set('WWW-Authenticate', `Bearer ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}`);
    res.status(status).json({ error: 'invalid_token', ...parameters });
  }
}

/** Of one JSON-RPC message or a batch. A tool nobody knows needs nothing: the MCP server answers that it does not exist. */
function scopesNeeded(body: unknown): Scope[] {
  const messages: unknown[] = Array.isArray(body) ? body : [body];
  return messages.flatMap((message) => {
    const { method, params } = (message ?? {}) as { method?: unknown; params?: { name?: unknown } };
    const scope = method === 'tools/call' ? scopeOfTool[String(params?.name)] : undefined;
    return scope === undefined ? [] : [scope];
  });
}

const callerOf = (res: Response) => res.locals['caller'] as Caller;

const problem = (description: string) => ({ error: 'not_found', error_description: description });

/** The authorization server cannot be asked, or a body cannot be read. A good token must not be called bad for that. */
function answerFailure(error: Error & { status?: number }, _req: Request, res: Response, _next: NextFunction): void {
  const unreadable = error.status !== undefined && error.status < 500;
  if (!unreadable) console.error(`cannot check tokens: ${error.message}`);
  if (unreadable)
    res.status(error.status ?? 400).json({ error: 'invalid_request', error_description: 'the body cannot be read' });
  else
    res.status(503).set('Retry-After', '2').json({ error: 'temporarily_unavailable', error_description: 'try again' });
}
