import { Option, type Command } from 'commander';
import { OidcProviderSettings } from '../config/oidc-settings.js';
import { settingsOf, type Setting } from '../config/setting.js';
import type { Answer } from './admin-api.js';
import { list, trueOrFalse } from './flags.js';
import { readSecret } from './secret-input.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

type Flags = Readonly<Record<string, unknown>> & { readonly slug: string; readonly clientSecret?: string };

const columns = ['slug', 'display_name', 'issuer', 'client_id', 'enabled', 'source'];

/** The settings of a provider are its flags, so that whatever the configuration file can say can be said here. */
const settings = settingsOf(OidcProviderSettings).filter(({ key, secret }) => key !== 'slug' && !secret);

/** Where people sign in: providers that are added while the server runs. Those of the configuration are shown, too. */
export function addSignInProviderCommands(admin: Command, run: Run): void {
  const provider = admin.command('sign-in-provider').description('identity providers at which people sign in');

  members(provider.command('create').description('let people sign in at a provider, from now on'))
    .requiredOption('--slug <slug>', 'its name in /oidc/{slug}/callback, the redirect URI to register there')
    .action(
      run<Flags>(async (flags, { api, output, terminal }) => {
        const body = { slug: flags.slug, ...(await toMembers(flags, terminal)) };
        output.one(await api.post('/admin/sign-in-providers', body));
      }),
    );

  members(provider.command('update').description('change a provider; what is not named stays, empty text takes away'))
    .requiredOption('--slug <slug>')
    .action(
      run<Flags>(async (flags, { api, output, terminal }) => {
        const change = await toMembers(flags, terminal);
        if (Object.keys(change).length === 0) throw new UsageError('nothing to change is named');
        output.one(await api.patch(at(flags), change));
      }),
    );

  provider
    .command('list')
    .description('list providers, also those of the configuration')
    .action(
      run(async (_, { api, output }) =>
        output.list(await api.get('/admin/sign-in-providers'), 'sign_in_providers', columns),
      ),
    );

  provider
    .command('get')
    .description('show one provider; its secret is not shown')
    .requiredOption('--slug <slug>')
    .action(run<Flags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));

  provider
    .command('delete')
    .description('delete a provider at which nobody has signed in')
    .requiredOption('--slug <slug>')
    .option('--force', 'although people have; they stay, and cannot sign in there any more')
    .action(
      run<Flags & { readonly force?: boolean }>(async (flags, { api, output }) => {
        await api.delete(at(flags), { force: flags.force });
        output.done(`sign-in provider ${flags.slug} is deleted`, { deleted: flags.slug });
      }),
    );
}

function members(command: Command): Command {
  for (const setting of settings) command.addOption(optionOf(setting));
  return command
    .option('--client-secret <->', 'must be -: the secret is read from standard input, and sealed in the database')
    .option('--enabled <boolean>', 'false: nobody signs in there', trueOrFalse);
}

function optionOf({ key, kind, about }: Setting): Option {
  const option = new Option(`--${key.replaceAll('_', '-')} <${kind}>`, about);
  if (kind === 'list') return option.argParser(list);
  return kind === 'boolean' ? option.argParser(trueOrFalse) : option;
}

/** On the wire null takes a value away; on a command line it is the empty text. */
async function toMembers(flags: Flags, terminal: Terminal): Promise<Answer> {
  const named = settings.map(({ key }): [string, unknown] => [key, flags[inCamelCase(key)]]);
  const given = [...named, ['enabled', flags['enabled']] as const].filter(([, value]) => value !== undefined);
  const secret = flags.clientSecret;
  return {
    ...Object.fromEntries(given.map(([key, value]) => [key, value === '' ? null : value])),
    ...(secret !== undefined && { client_secret: await readSecret(terminal, 'client-secret', secret) }),
  };
}

/** As commander names what a flag held. */
const inCamelCase = (key: string): string => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const at = ({ slug }: Flags): string => `/admin/sign-in-providers/${encodeURIComponent(slug)}`;
