/**
 * `npm run example`: an MCP server with three tools at http://localhost:8080/mcp, protected by the AuthPlane at
 * http://localhost:9000. EXAMPLE_RESOURCE, EXAMPLE_ISSUER, EXAMPLE_HOST and EXAMPLE_PORT change that; with EXAMPLE_CLIENT_ID
 * and EXAMPLE_CLIENT_SECRET it asks AuthPlane about every token, so that a revoked one is refused at once.
 */
import { createExample } from './app.js';
import { scopes } from './notes.js';

const env = process.env;
const issuer = env['EXAMPLE_ISSUER'] ?? 'http://localhost:9000';
const host = env['EXAMPLE_HOST'] ?? '127.0.0.1';
const port = Number(env['EXAMPLE_PORT'] ?? 8080);
const resource = env['EXAMPLE_RESOURCE'] ?? `http://localhost:${port}/mcp`;
const clientId = env['EXAMPLE_CLIENT_ID'];
const clientSecret = env['EXAMPLE_CLIENT_SECRET'];
const introspection = clientId && clientSecret ? { clientId, clientSecret } : undefined;

const listening = createExample({ resource, issuer, ...(introspection && { introspection }) }).listen(
  port,
  host,
  (error) => {
    if (error) {
      console.error(
        `The example cannot listen on ${host}:${port}: ${error.message}. EXAMPLE_PORT chooses another port.`,
      );
      process.exit(1);
    }
    void printNextSteps();
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);

function stop(): void {
  listening.close(() => process.exit(0));
  listening.closeAllConnections();
}

async function printNextSteps(): Promise<void> {
  const registered = await isRegistered();
  const scopeFlags = Object.entries(scopes).map(([name, text]) => `--scopes '${name}||${text}'`);
  const register = [
    'npm run authserver -- admin resource create --slug notes --backend-kind mint --display-name Notes',
    `--uri ${resource} ${scopeFlags.join(' ')}`,
  ];
  console.log(`The example MCP server listens at ${resource}, protected by ${issuer}.`);
  if (registered === undefined) step(`${issuer} does not answer. Start it in another terminal:`, 'npm start');
  if (!registered) step(`Register this server there, unless it is registered:`, register.join(' \\\n    '));
  step(`Connect an MCP client to ${resource}, for instance:`, 'npx @modelcontextprotocol/inspector');
  if (!introspection)
    console.log(
      'A revoked token works here until it expires; EXAMPLE_CLIENT_ID and EXAMPLE_CLIENT_SECRET change that.',
    );
}

function step(text: string, command: string): void {
  console.log(`\n${text}\n\n  ${command}\n`);
}

/** Whether AuthPlane publishes metadata for this resource (RFC 9728); undefined when it cannot be reached. */
async function isRegistered(): Promise<boolean | undefined> {
  try {
    const { pathname } = new URL(resource);
    const response = await fetch(`${issuer}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}`);
    if (!response.ok) return false;
    const metadata = (await response.json()) as { resource?: unknown };
    return metadata.resource === resource;
  } catch {
    return undefined;
  }
}
