import type { Command } from 'commander';
import type { Answer } from './admin-api.js';
import {
  list,
  orNull,
  paged,
  scopes,
  scopesFile,
  secondsOrDefault,
  trueOrFalse,
  uriList,
  type PageFlags,
  type ScopeFlag,
} from './flags.js';
import { addResourcePolicyCommands } from './resource-policy.command.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface SettingFlags {
  readonly brokerProvider?: string;
  readonly uri?: string;
  readonly displayName?: string;
  readonly scopes?: ScopeFlag[];
  readonly scopesFile?: unknown[];
  readonly policyAllowedClients?: string[];
  readonly policyRuntimeClientIds?: string[];
  readonly policyAllowedReturnUrls?: string[];
  readonly accessTokenTtl?: number | 'default';
  readonly dpopRequired?: boolean;
}

interface CreateFlags extends SettingFlags {
  readonly slug: string;
  readonly backendKind: string;
}

interface UpdateFlags extends SettingFlags, IdFlags {
  readonly slug?: string;
  readonly backendKind?: string;
  readonly scopesClear?: boolean;
  readonly policyClear?: boolean;
}

const columns = ['id', 'slug', 'uri', 'backend_kind', 'display_name', 'scopes'];

export function addResourceCommands(admin: Command, run: Run): void {
  const resource = admin.command('resource').description('what tokens are for: resources, their scopes and policies');
  addWriting(resource, run);
  addReading(resource, run);
  addResourcePolicyCommands(resource, run);
}

function addWriting(resource: Command, run: Run): void {
  settings(resource.command('create').description('register a resource'))
    .requiredOption('--slug <slug>', 'short name, used in URLs')
    .requiredOption('--backend-kind <kind>', 'mint (this server signs its tokens) or broker')
    .action(
      run<CreateFlags>(async (flags, { api, output }) =>
        output.one(
          await api.post('/admin/resources', {
            slug: flags.slug,
            backend_kind: flags.backendKind,
            ...toSettings(flags),
          }),
        ),
      ),
    );

  settings(resource.command('update').description('change a resource; what is not named stays'))
    .requiredOption('--id <id>')
    .option('--slug <slug>', 'short name, used in URLs')
    .option('--backend-kind <kind>', 'mint or broker')
    .option('--scopes-clear', 'leave it without scopes')
    .option('--policy-clear', 'empty all three lists of its policy')
    .action(
      run<UpdateFlags>(async (flags, { api, output }) => {
        const change = {
          slug: flags.slug,
          backend_kind: flags.backendKind,
          ...toSettings(flags),
          ...toClearing(flags),
        };
        if (Object.values(change).every((value) => value === undefined))
          throw new UsageError('nothing to change is named');
        output.one(await api.patch(at(flags), change));
      }),
    );

  resource
    .command('delete')
    .description('delete a resource; nobody gets tokens for it any more')
    .requiredOption('--id <id>')
    .option('--cascade', 'also the fronting links from and to it')
    .action(
      run<IdFlags & { cascade?: boolean }>(async (flags, { api, output }) => {
        await api.delete(at(flags), { cascade: flags.cascade ? 'true' : undefined });
        output.done(`resource ${flags.id} is deleted`, { deleted: flags.id });
      }),
    );
}

function addReading(resource: Command, run: Run): void {
  paged(resource.command('list').description('list resources'))
    .option('--backend-kind <kind>', 'mint or broker')
    .option('--slug <slug>')
    .option('--broker-provider <id or slug>', 'those that lead to this provider')
    .action(
      run<PageFlags & { backendKind?: string; slug?: string; brokerProvider?: string }>(
        async ({ limit, cursor, backendKind, slug, brokerProvider }, { api, output }) => {
          const query = { limit, cursor, backend_kind: backendKind, slug, broker_provider: brokerProvider };
          const answer = await api.get('/admin/resources', query);
          output.list(answer, 'resources', columns, withScopeNames);
        },
      ),
    );

  resource
    .command('get')
    .description('show one resource')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));
}

function settings(command: Command): Command {
  return command
    .option('--uri <uri>', 'what clients send as resource and find as aud, byte for byte')
    .option('--broker-provider <id or slug>', 'the provider that a broker resource leads to; none: no longer any')
    .option('--display-name <name>', 'what people read on the consent page')
    .option('--scopes <scope>', "'name|upstream|description', repeatable; replaces the list", scopes)
    .option('--scopes-file <file>', 'JSON file with the list of scopes; replaces the list', scopesFile)
    .option('--policy-allowed-clients <ids>', 'clients that may exchange others’ tokens for this resource', list)
    .option(
      '--policy-runtime-client-ids <ids>',
      'clients that act as this resource, for example at introspection',
      list,
    )
    .option('--policy-allowed-return-urls <urls>', 'where the connect pages may return to', uriList)
    .option('--access-token-ttl <seconds>', 'lifetime of access tokens for it, or default', secondsOrDefault)
    .option(
      '--dpop-required <true|false>',
      'whether nobody gets a token for it without a proof of a key (DPoP)',
      trueOrFalse,
    );
}

function toSettings(flags: SettingFlags): Record<string, unknown> {
  if (flags.scopes && flags.scopesFile) throw new UsageError('--scopes and --scopes-file exclude each other');
  const policy = {
    ...(flags.policyAllowedClients && { exchange: { allowed_client_ids: flags.policyAllowedClients } }),
    ...(flags.policyRuntimeClientIds && { runtime: { client_ids: flags.policyRuntimeClientIds } }),
    ...(flags.policyAllowedReturnUrls && { connect: { allowed_return_urls: flags.policyAllowedReturnUrls } }),
  };
  return {
    uri: flags.uri,
    ...toProvider(flags.brokerProvider),
    display_name: flags.displayName,
    scopes: flags.scopes ?? flags.scopesFile,
    policy: Object.keys(policy).length > 0 ? policy : undefined,
    access_token_ttl: orNull(flags.accessTokenTtl),
    dpop_required: flags.dpopRequired,
  };
}

function toProvider(named: string | undefined): Record<string, unknown> {
  if (named === undefined) return {};
  if (named === 'none') return { broker_provider_id: null };
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(named)
    ? { broker_provider_id: named }
    : { broker_provider_slug: named };
}

function toClearing(flags: UpdateFlags): Record<string, unknown> {
  const namesPolicy = flags.policyAllowedClients ?? flags.policyRuntimeClientIds ?? flags.policyAllowedReturnUrls;
  if (flags.scopesClear && (flags.scopes ?? flags.scopesFile))
    throw new UsageError('--scopes-clear and scopes exclude each other');
  if (flags.policyClear && namesPolicy)
    throw new UsageError('--policy-clear and the --policy flags exclude each other');
  return {
    ...(flags.scopesClear && { scopes: [] }),
    ...(flags.policyClear && {
      policy: {
        exchange: { allowed_client_ids: [] },
        runtime: { client_ids: [] },
        connect: { allowed_return_urls: [] },
      },
    }),
  };
}

function withScopeNames(item: unknown): Answer {
  const row = item as { readonly scopes: readonly { readonly name: string }[] };
  return { ...row, scopes: row.scopes.map(({ name }) => name) };
}

const at = ({ id }: IdFlags): string => `/admin/resources/${encodeURIComponent(id)}`;
