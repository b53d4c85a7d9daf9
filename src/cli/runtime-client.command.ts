import type { Command } from 'commander';
import type { Run } from './verb.js';

interface SlugFlags {
  readonly slug: string;
}

interface EntryFlags extends SlugFlags {
  readonly clientId: string;
}

/** Which clients act as a resource: they may introspect the tokens issued for it. */
export function addRuntimeClientCommands(resource: Command, run: Run): void {
  const runtime = resource.command('runtime-client').description('the clients that act as a resource');

  runtime
    .command('add')
    .description('let a client act as the resource')
    .requiredOption('--slug <slug>')
    .requiredOption('--client-id <id>')
    .action(
      run<EntryFlags>(async (flags, { api, output }) => {
        await api.post(at(flags), { client_id: flags.clientId });
        output.done(`${flags.clientId} acts as ${flags.slug}`, { slug: flags.slug, client_id: flags.clientId });
      }),
    );

  runtime
    .command('remove')
    .description('end that')
    .requiredOption('--slug <slug>')
    .requiredOption('--client-id <id>')
    .action(
      run<EntryFlags>(async (flags, { api, output }) => {
        await api.delete(`${at(flags)}/${encodeURIComponent(flags.clientId)}`);
        output.done(`${flags.clientId} does not act as ${flags.slug}`, { slug: flags.slug, client_id: flags.clientId });
      }),
    );

  runtime
    .command('list')
    .description('list them')
    .requiredOption('--slug <slug>')
    .action(
      run<SlugFlags>(async (flags, { api, output }) =>
        output.list(await api.get(at(flags)), 'client_ids', ['client_id'], (id) => ({ client_id: id })),
      ),
    );
}

const at = ({ slug }: SlugFlags): string => `/admin/resources/${encodeURIComponent(slug)}/policy/runtime/client-ids`;
