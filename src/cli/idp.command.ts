import type { Command } from 'commander';
import { trueOrFalse } from './flags.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface IdpFlags {
  readonly name?: string;
  readonly jwksUri?: string;
  readonly audience?: string;
  readonly replay?: string;
  readonly enabled?: boolean;
}

interface CreateFlags extends IdpFlags {
  readonly issuer: string;
  readonly kind?: string;
}

const columns = ['id', 'name', 'issuer', 'kind', 'enabled', 'replay'];
const at = ({ id }: IdFlags): string => `/admin/idps/${encodeURIComponent(id)}`;

/** Issuers whose assertions are taken for access tokens. */
export function addIdpCommands(admin: Command, run: Run): void {
  const idp = admin.command('idp').description('issuers whose assertions are taken for access tokens');

  members(idp.command('create').description('trust an issuer'))
    .requiredOption('--name <name>')
    .requiredOption('--issuer <url>', 'as in its assertions, byte for byte')
    .option('--kind <kind>', 'id_jag (assertions about people) or workload (the own JWTs of programs)')
    .action(
      run<CreateFlags>(async ({ issuer, kind, ...flags }, { api, output }) =>
        output.one(await api.post('/admin/idps', { issuer, kind, ...toMembers(flags) })),
      ),
    );

  idp
    .command('list')
    .description('list trusted issuers')
    .action(run(async (_, { api, output }) => output.list(await api.get('/admin/idps'), 'idps', columns)));

  idp
    .command('get')
    .description('show one issuer')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));

  members(idp.command('update').description('change an issuer; what is not named stays'))
    .requiredOption('--id <id>')
    .option('--name <name>')
    .option('--enabled <boolean>', 'true or false', trueOrFalse)
    .action(
      run<IdFlags & IdpFlags>(async (flags, { api, output }) => {
        const change = toMembers(flags);
        if (Object.values(change).every((value) => value === undefined))
          throw new UsageError('nothing to change is named');
        output.one(await api.put(at(flags), change));
      }),
    );

  idp
    .command('refresh-keys')
    .description('forget its keys in every replica, and ask for them now')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.post(`${at(flags)}/refresh-keys`))));

  idp
    .command('delete')
    .description('trust an issuer no more; its policies go with it')
    .requiredOption('--id <id>')
    .action(
      run<IdFlags>(async (flags, { api, output }) => {
        await api.delete(at(flags));
        output.done(`issuer ${flags.id} is deleted`, { id: flags.id });
      }),
    );
}

const members = (command: Command): Command =>
  command
    .option('--jwks-uri <url>', 'where its keys are; without it they are found by discovery')
    .option('--audience <audience>', 'what its assertions name as audience; without it our issuer')
    .option('--replay <replay>', 'single_use or reusable_until_exp');

const toMembers = ({ name, jwksUri, audience, replay, enabled }: IdpFlags) => ({
  name,
  jwks_uri: jwksUri,
  audience,
  replay,
  enabled,
});
