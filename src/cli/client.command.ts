import type { Command } from 'commander';
import {
  grantTypes,
  jsonFile,
  orNull,
  paged,
  secondsOrDefault,
  trueOrFalse,
  uriList,
  type PageFlags,
} from './flags.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface SettingFlags {
  readonly name?: string;
  readonly grantTypes?: string[];
  readonly redirectUris?: string[];
  readonly jwksFile?: unknown;
  readonly jwksUri?: string;
  readonly dpopBoundAccessTokens?: boolean;
  readonly scope?: string;
  readonly defaultResource?: string;
  readonly accessTokenTtl?: number | 'default';
  readonly refreshTokenTtl?: number | 'default';
  readonly refreshMaxLifetime?: number | 'default';
}

interface CreateFlags extends SettingFlags {
  readonly agent?: boolean;
  readonly agentDescription?: string;
  readonly applicationType?: string;
  readonly authMethod: string;
}

interface UpdateFlags extends SettingFlags, IdFlags {
  readonly agentConfirmed?: boolean;
}

interface ListFlags extends PageFlags {
  readonly source?: string;
  readonly status?: string;
}

const columns = ['id', 'name', 'status', 'registration_source', 'token_endpoint_auth_method', 'grant_types', 'scope'];

export function addClientCommands(admin: Command, run: Run): void {
  const client = admin.command('client').description('the applications that may ask for tokens');
  addWriting(client, run);
  addReading(client, run);
  addStatus(client, run);
}

function addWriting(client: Command, run: Run): void {
  settings(
    client.command('create').description('register a client; the secret of a confidential one is shown this once'),
  )
    .requiredOption('--name <name>', 'what people read on the consent page')
    .option('--agent', 'the client is an agent; its tokens say so')
    .option('--agent-description <text>', 'what the agent does, at most 255 characters')
    .option('--application-type <type>', 'web or native')
    .option('--auth-method <method>', 'none, client_secret_basic, client_secret_post or private_key_jwt', 'none')
    .action(
      run<CreateFlags>(async (flags, { api, output }) => {
        const created = await api.post('/admin/clients', {
          ...toSettings(flags),
          token_endpoint_auth_method: flags.authMethod,
          application_type: flags.applicationType,
          agent: flags.agent,
          agent_description: flags.agentDescription,
        });
        output.one(created);
        if (created.client_secret) output.note('keep client_secret now: only its hash is stored');
      }),
    );

  settings(client.command('update').description('change a client; what is not named stays'))
    .requiredOption('--id <id>')
    .option('--name <name>', 'what people read on the consent page')
    .option(
      '--agent-confirmed <true|false>',
      'an operator vouches that this client is the agent it says it is',
      trueOrFalse,
    )
    .action(
      run<UpdateFlags>(async (flags, { api, output }) => {
        const change = { ...toSettings(flags), agent_confirmed: flags.agentConfirmed };
        if (Object.values(change).every((value) => value === undefined))
          throw new UsageError('nothing to change is named');
        output.one(await api.patch(at(flags), change));
      }),
    );

  client
    .command('rotate-secret')
    .description('make a new secret; the old one goes on working for the overlap')
    .requiredOption('--id <id>')
    .option(
      '--overlap <duration>',
      'how long the old secret still works, as 24h or 30m; 0 ends it at once (default 24h)',
    )
    .action(
      run<IdFlags & { readonly overlap?: string }>(async (flags, { api, output }) => {
        output.one(await api.post(`${at(flags)}/rotate-secret`, { overlap: flags.overlap }));
        output.note('keep client_secret now: only its hash is stored');
      }),
    );
}

function addReading(client: Command, run: Run): void {
  paged(client.command('list').description('list clients'))
    .option('--source <source>', 'admin, dcr or cimd')
    .option('--status <status>', 'active, suspended or revoked')
    .action(
      run<ListFlags>(async ({ limit, cursor, source, status }, { api, output }) =>
        output.list(await api.get('/admin/clients', { limit, cursor, source, status }), 'clients', columns),
      ),
    );

  client
    .command('get')
    .description('show one client')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));
}

function addStatus(client: Command, run: Run): void {
  const verbs = {
    suspend: 'refuse a client until it is reactivated; its tokens introspect as inactive meanwhile',
    reactivate: 'end a suspension',
    revoke: 'refuse a client for good and end all its token families',
  };
  for (const [verb, description] of Object.entries(verbs)) {
    client
      .command(verb)
      .description(description)
      .requiredOption('--id <id>')
      .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.patch(`${at(flags)}/${verb}`))));
  }

  client
    .command('delete')
    .description('delete a client')
    .requiredOption('--id <id>')
    .option('--force', 'although it has active tokens; they end')
    .action(
      run<IdFlags & { readonly force?: boolean }>(async (flags, { api, output }) => {
        await api.delete(at(flags), { force: flags.force });
        output.done(`client ${flags.id} is deleted`, { deleted: flags.id });
      }),
    );
}

function settings(command: Command): Command {
  return command
    .option(
      '--grant-types <types>',
      'authorization_code, refresh_token, client_credentials, token-exchange, jwt-bearer (or their URNs), comma-separated; new clients: the first two',
      grantTypes,
    )
    .option('--redirect-uris <uris>', 'comma-separated, or the flag repeated', uriList)
    .option('--jwks-file <path>', 'public keys of a client with private_key_jwt, as a JWK set', jsonFile)
    .option('--jwks-uri <uri>', 'where its public keys are, in place of --jwks-file')
    .option(
      '--dpop-bound-access-tokens <true|false>',
      'whether it gets no token without a proof of its key (DPoP)',
      trueOrFalse,
    )
    .option(
      '--scope <scopes>',
      'the most it may ask for, space-separated; empty: no limit of its own, and nothing by client_credentials',
    )
    .option('--default-resource <uri>', 'the resource meant when a request names none')
    .option('--access-token-ttl <seconds>', 'lifetime of its access tokens, or default', secondsOrDefault)
    .option('--refresh-token-ttl <seconds>', 'how long a refresh token may lie unused, or default', secondsOrDefault)
    .option(
      '--refresh-max-lifetime <seconds>',
      'how long a person stays signed in at most, or default',
      secondsOrDefault,
    );
}

/** Absent flags stay undefined, which is not sent. */
function toSettings(flags: SettingFlags): Record<string, unknown> {
  return {
    client_name: flags.name,
    redirect_uris: flags.redirectUris,
    jwks: flags.jwksFile,
    jwks_uri: flags.jwksUri,
    grant_types: flags.grantTypes,
    dpop_bound_access_tokens: flags.dpopBoundAccessTokens,
    scope: flags.scope,
    default_resource: flags.defaultResource,
    access_token_ttl: orNull(flags.accessTokenTtl),
    refresh_token_ttl: orNull(flags.refreshTokenTtl),
    refresh_max_lifetime: orNull(flags.refreshMaxLifetime),
  };
}

/** A client's id may be a URL. */
const at = ({ id }: IdFlags): string => `/admin/clients/${encodeURIComponent(id)}`;
