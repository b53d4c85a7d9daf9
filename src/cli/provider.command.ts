import type { Command } from 'commander';
import type { Answer } from './admin-api.js';
import { jsonFile, paged, type PageFlags } from './flags.js';
import type { Output } from './output.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface ConfigFlags {
  readonly configData?: unknown;
  readonly preset?: string;
  readonly clientId?: string;
  readonly clientSecretRef?: string;
}

interface CreateFlags extends ConfigFlags {
  readonly slug: string;
  readonly displayName?: string;
  readonly protocol: string;
}

type UpdateFlags = IdFlags & Partial<CreateFlags>;

const columns = ['id', 'slug', 'display_name', 'protocol', 'updated_at'];

/** Upstream providers: where people connect accounts, or where the operator has a credential. */
export function addProviderCommands(admin: Command, run: Run): void {
  const provider = admin.command('provider').description('upstreams at which people connect accounts');

  config(provider.command('create').description('register a provider'))
    .requiredOption('--slug <slug>', 'short name, used in /connect/{slug} and in its redirect URI')
    .option('--display-name <name>', 'what people read on the connect page')
    .option('--protocol <protocol>', 'oauth, api_key or service_account', 'oauth')
    .action(
      run<CreateFlags>(async (flags, { api, output }) => {
        const body = { ...toMembers(flags), config_data: toConfigData(flags) ?? {} };
        show(output, await api.post('/admin/broker-providers', body));
      }),
    );

  config(provider.command('update').description('change a provider; what is not named stays'))
    .requiredOption('--id <id>')
    .option('--slug <slug>', 'its redirect URI moves, too')
    .option('--display-name <name>', 'what people read on the connect page')
    .option('--protocol <protocol>', 'oauth, api_key or service_account')
    .action(
      run<UpdateFlags>(async (flags, { api, output }) => {
        const change = { ...toMembers(flags), config_data: toConfigData(flags) };
        if (Object.values(change).every((value) => value === undefined))
          throw new UsageError('nothing to change is named');
        show(output, await api.patch(at(flags), change));
      }),
    );

  paged(provider.command('list').description('list providers'))
    .option('--slug <slug>')
    .option('--protocol <protocol>', 'oauth, api_key or service_account')
    .action(
      run<PageFlags & { slug?: string; protocol?: string }>(
        async ({ limit, cursor, slug, protocol }, { api, output }) => {
          const answer = await api.get('/admin/broker-providers', { limit, cursor, slug, protocol });
          output.list(answer, 'providers', columns);
        },
      ),
    );

  provider
    .command('get')
    .description('show one provider; its secret is not shown')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));

  provider
    .command('delete')
    .description('delete a provider to which no resource leads and at which nobody is connected')
    .requiredOption('--id <id>')
    .action(
      run<IdFlags>(async (flags, { api, output }) => {
        await api.delete(at(flags));
        output.done(`provider ${flags.id} is deleted`, { deleted: flags.id });
      }),
    );
}

/** Warnings on standard error, too, where a pipe does not swallow them. */
function show(output: Output, { warnings, ...provider }: Answer): void {
  output.one({ ...provider, ...(warnings !== undefined && { warnings }) });
  if (Array.isArray(warnings)) for (const warning of warnings) output.note(`warning: ${String(warning)}`);
}

function config(command: Command): Command {
  return command
    .option('--config-data <file>', 'JSON file with what the protocol needs; replaces the whole', jsonFile)
    .option('--preset <preset>', 'github, google, slack, notion, linear, atlassian or generic')
    .option('--client-id <id>', 'what this server is called there; instead of a file')
    .option('--client-secret-ref <variable>', 'the variable of the server with the client secret; instead of a file');
}

function toMembers({ slug, displayName, protocol }: Partial<CreateFlags>): Answer {
  return { slug, display_name: displayName, protocol };
}

/** The file, and what the flags add to it. */
function toConfigData({ configData, preset, clientId, clientSecretRef }: ConfigFlags): object | undefined {
  const named = { preset, client_id: clientId, client_secret_ref: clientSecretRef };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  if (configData === undefined) return given.length > 0 ? Object.fromEntries(given) : undefined;
  if (typeof configData !== 'object' || configData === null || Array.isArray(configData))
    throw new UsageError('--config-data must hold a JSON object');
  return { ...configData, ...Object.fromEntries(given) };
}

const at = ({ id }: IdFlags): string => `/admin/broker-providers/${encodeURIComponent(id)}`;
