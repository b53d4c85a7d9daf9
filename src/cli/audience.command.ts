import type { Command } from 'commander';
import { list, trueOrFalse, uriList } from './flags.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface AudienceFlags {
  readonly audienceClientId?: string;
  readonly resources?: string[];
  readonly scopes?: string[];
  readonly includeEmail?: boolean;
  readonly enabled?: boolean;
}

interface CreateFlags extends AudienceFlags {
  readonly audience: string;
  readonly clientId: string;
}

const columns = ['id', 'audience', 'client_id', 'audience_client_id', 'resources', 'scopes', 'enabled'];
const path = '/admin/xaa/audiences';
const at = ({ id }: IdFlags): string => `${path}/${encodeURIComponent(id)}`;

/** For which other authorization servers our clients get identity assertions. */
export function addAudienceCommands(xaa: Command, run: Run): void {
  const audience = xaa.command('audience').description('servers for which our clients get identity assertions');

  audience
    .command('create')
    .description('let a client have assertions for another authorization server')
    .requiredOption('--audience <issuer>', 'of that server, byte for byte')
    .requiredOption('--client-id <id>', 'of the client here')
    .requiredOption('--audience-client-id <id>', 'of the client there')
    .requiredOption('--resources <uris>', 'for which resources of it', uriList)
    .requiredOption('--scopes <scopes>', "at most these; '' : assertions name no scope", list)
    .option('--include-email <boolean>', 'whether it learns e-mail addresses', trueOrFalse)
    .action(
      run<CreateFlags>(async ({ audience: issuer, clientId, ...flags }, { api, output }) =>
        output.one(await api.post(path, { audience: issuer, client_id: clientId, ...toMembers(flags) })),
      ),
    );

  audience
    .command('list')
    .description('list audiences')
    .option('--client-id <id>')
    .action(
      run<{ clientId?: string }>(async ({ clientId }, { api, output }) =>
        output.list(await api.get(path, { client_id: clientId }), 'audiences', columns),
      ),
    );

  audience
    .command('get')
    .description('show one audience')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));

  audience
    .command('update')
    .description('change an audience; what is not named stays')
    .requiredOption('--id <id>')
    .option('--audience-client-id <id>', 'of the client there')
    .option('--resources <uris>', 'for which resources of it', uriList)
    .option('--scopes <scopes>', "at most these; '' : assertions name no scope", list)
    .option('--include-email <boolean>', 'whether it learns e-mail addresses', trueOrFalse)
    .option('--enabled <boolean>', 'true or false', trueOrFalse)
    .action(
      run<IdFlags & AudienceFlags>(async (flags, { api, output }) => {
        const change = toMembers(flags);
        if (Object.values(change).every((value) => value === undefined))
          throw new UsageError('nothing to change is named');
        output.one(await api.put(at(flags), change));
      }),
    );

  audience
    .command('delete')
    .description('let a client have no more assertions for a server')
    .requiredOption('--id <id>')
    .action(
      run<IdFlags>(async (flags, { api, output }) => {
        await api.delete(at(flags));
        output.done(`audience ${flags.id} is deleted`, { id: flags.id });
      }),
    );
}

const toMembers = (flags: AudienceFlags) => ({
  audience_client_id: flags.audienceClientId,
  resources: flags.resources,
  scopes: flags.scopes,
  include_email: flags.includeEmail,
  enabled: flags.enabled,
});
