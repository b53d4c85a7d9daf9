import type { Command } from 'commander';
import { scopeMap } from './flags.js';
import type { Run } from './verb.js';

interface EndFlags {
  readonly source: string;
  readonly target: string;
}

interface MapFlags extends EndFlags {
  readonly scopeMap: Record<string, string[]>;
}

const columns = ['source_slug', 'target_slug', 'scope_map', 'created_at'];
const mapHelp = "'source=target+target2,source2=target3', or JSON";

/** Fronting links: whoever acts as the source may exchange its tokens for the target. */
export function addFrontingCommands(admin: Command, run: Run): void {
  const fronting = admin.command('fronting').description('links from a gateway’s resource to the resources behind it');

  ends(fronting.command('create').description('make a link'))
    .requiredOption('--scope-map <map>', mapHelp, scopeMap)
    .option('--dry-run', 'check everything, store nothing')
    .action(
      run<MapFlags & { dryRun?: boolean }>(async ({ source, target, scopeMap: map, dryRun }, { api, output }) => {
        const path = `/admin/fronting${dryRun ? '?dry_run=true' : ''}`;
        output.one(await api.post(path, { source, target, scope_map: map }));
      }),
    );

  fronting
    .command('list')
    .description('list links')
    .option('--source <slug>')
    .option('--target <slug>')
    .action(
      run<Partial<EndFlags>>(async ({ source, target }, { api, output }) =>
        output.list(await api.get('/admin/fronting', { source, target }), 'links', columns),
      ),
    );

  ends(fronting.command('get').description('show one link')).action(
    run<EndFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))),
  );

  ends(fronting.command('update').description('replace the scope map of a link'))
    .requiredOption('--scope-map <map>', mapHelp, scopeMap)
    .action(
      run<MapFlags>(async (flags, { api, output }) =>
        output.one(await api.patch(at(flags), { scope_map: flags.scopeMap })),
      ),
    );

  ends(fronting.command('delete').description('end a link')).action(
    run<EndFlags>(async (flags, { api, output }) => {
      await api.delete(at(flags));
      output.done(`${flags.source} no longer fronts ${flags.target}`, { source: flags.source, target: flags.target });
    }),
  );
}

const ends = (command: Command): Command =>
  command.requiredOption('--source <slug>', 'whose tokens').requiredOption('--target <slug>', 'for what');

const at = ({ source, target }: EndFlags): string =>
  `/admin/fronting/${encodeURIComponent(source)}/${encodeURIComponent(target)}`;
