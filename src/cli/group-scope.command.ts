import type { Command } from 'commander';
import { list } from './flags.js';
import type { Run } from './verb.js';

interface PlaceFlags {
  readonly provider: string;
  readonly resource: string;
}

interface SetFlags extends PlaceFlags {
  readonly group: string;
  readonly scopes: string[];
}

const columns = ['id', 'provider', 'group', 'resource', 'scopes'];

/** What the groups of an identity provider give at a resource. */
export function addGroupScopeCommands(admin: Command, run: Run): void {
  const groupScope = admin.command('group-scope').description('what groups of identity providers give at resources');

  groupScope
    .command('set')
    .description('say all that a group gives at a resource; who is in no group that is named for it has nothing there')
    .requiredOption('--provider <slug>', 'a sign-in provider')
    .requiredOption('--group <group>', 'as the provider names it')
    .requiredOption('--resource <slug>')
    .requiredOption('--scopes <scopes>', 'of the catalogue of the resource', list)
    .action(
      run<SetFlags>(async ({ provider, group, resource, scopes }, { api, output }) =>
        output.one(await api.post('/admin/group-scopes', { provider, group, resource, scopes })),
      ),
    );

  groupScope
    .command('list')
    .description('list what groups give')
    .option('--provider <slug>')
    .option('--resource <slug>')
    .action(
      run<Partial<PlaceFlags>>(async ({ provider, resource }, { api, output }) =>
        output.list(await api.get('/admin/group-scopes', { provider, resource }), 'group_scopes', columns),
      ),
    );

  groupScope
    .command('delete')
    .description('say no more what a group gives; the last one of a provider at a resource frees its people there')
    .requiredOption('--id <id>')
    .action(
      run<{ readonly id: string }>(async ({ id }, { api, output }) => {
        await api.delete(`/admin/group-scopes/${encodeURIComponent(id)}`);
        output.done(`group scope ${id} is deleted`, { deleted: id });
      }),
    );
}
