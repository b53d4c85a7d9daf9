import type { Command } from 'commander';
import { addAudienceCommands } from './audience.command.js';
import { list, trueOrFalse, uriList } from './flags.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface PolicyFlags {
  readonly name?: string;
  readonly clientIds?: string[];
  readonly scopes?: string[];
  readonly resources?: string[];
  readonly groups?: string[];
  readonly condition?: string[];
  readonly subjectBy?: string[];
  readonly expiresAt?: string;
  readonly enabled?: boolean;
}

interface MappingFlags {
  readonly idpId: string;
  readonly subject: string;
  readonly userId: string;
}

const policyColumns = ['id', 'name', 'idp_id', 'client_ids', 'resources', 'scopes', 'enabled', 'expires_at'];
const mappingColumns = ['id', 'idp_id', 'idp_subject', 'local_user_id', 'created_at'];

/** What assertions are good for, whom they are about, and for whom we issue them. */
export function addXaaCommands(admin: Command, run: Run): void {
  const xaa = admin
    .command('xaa')
    .description('what assertions of trusted issuers are good for, and whom ours are for');
  addPolicyCommands(xaa.command('policy').description('who may have what with assertions of an issuer'), run);
  addMappingCommands(xaa.command('mapping').description('which user a subject of an issuer is'), run);
  addAudienceCommands(xaa, run);
}

function addPolicyCommands(policy: Command, run: Run): void {
  const at = ({ id }: IdFlags): string => `/admin/xaa/policies/${encodeURIComponent(id)}`;

  members(policy.command('create').description('allow something'))
    .requiredOption('--idp-id <id>')
    .requiredOption('--name <name>', 'what the audit log calls it')
    .action(
      run<PolicyFlags & { idpId: string }>(async ({ idpId, ...flags }, { api, output }) =>
        output.one(await api.post('/admin/xaa/policies', { idp_id: idpId, ...toMembers(flags) })),
      ),
    );

  policy
    .command('list')
    .description('list policies')
    .option('--idp-id <id>')
    .action(
      run<{ idpId?: string }>(async ({ idpId }, { api, output }) =>
        output.list(await api.get('/admin/xaa/policies', { idp_id: idpId }), 'policies', policyColumns),
      ),
    );

  policy
    .command('get')
    .description('show one policy')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));

  members(policy.command('update').description('change a policy; what is not named stays'))
    .requiredOption('--id <id>')
    .option('--name <name>', 'what the audit log calls it')
    .option('--enabled <boolean>', 'true or false', trueOrFalse)
    .action(
      run<IdFlags & PolicyFlags>(async (flags, { api, output }) => {
        const change = toMembers(flags);
        if (Object.values(change).every((value) => value === undefined))
          throw new UsageError('nothing to change is named');
        output.one(await api.put(at(flags), change));
      }),
    );

  policy
    .command('delete')
    .description('withdraw a policy')
    .requiredOption('--id <id>')
    .action(
      run<IdFlags>(async (flags, { api, output }) => {
        await api.delete(at(flags));
        output.done(`policy ${flags.id} is deleted`, { id: flags.id });
      }),
    );
}

function addMappingCommands(mapping: Command, run: Run): void {
  mapping
    .command('create')
    .description('say who a subject is')
    .requiredOption('--idp-id <id>')
    .requiredOption('--subject <sub>', 'as the issuer names it')
    .requiredOption('--user-id <id>', 'of a user here')
    .action(
      run<MappingFlags>(async ({ idpId, subject, userId }, { api, output }) => {
        const body = { idp_id: idpId, idp_subject: subject, local_user_id: userId };
        output.one(await api.post('/admin/xaa/subject-mappings', body));
      }),
    );

  mapping
    .command('list')
    .description('list who the subjects are, also those who came by themselves')
    .option('--idp-id <id>')
    .action(
      run<{ idpId?: string }>(async ({ idpId }, { api, output }) => {
        const answer = await api.get('/admin/xaa/subject-mappings', { idp_id: idpId });
        output.list(answer, 'subject_mappings', mappingColumns);
      }),
    );

  mapping
    .command('delete')
    .description('take a mapping away; the user stays')
    .requiredOption('--id <id>')
    .action(
      run<IdFlags>(async ({ id }, { api, output }) => {
        await api.delete(`/admin/xaa/subject-mappings/${encodeURIComponent(id)}`);
        output.done(`mapping ${id} is deleted`, { id });
      }),
    );
}

const members = (command: Command): Command =>
  command
    .option('--client-ids <ids>', 'which clients; none named: any', list)
    .option('--scopes <scopes>', 'at most these; none named: no bound', list)
    .option('--resources <uris>', 'for which resources; none named: any', uriList)
    .option('--groups <groups>', 'one of them must be in the claim groups', list)
    .option('--condition <claim=value>', 'a claim that must be exactly this, repeatable', list)
    .option('--subject-by <ways>', 'aud_sub, email: how else a subject may be found', list)
    .option('--expires-at <time>', 'as 2026-12-31T00:00:00Z');

const toMembers = (flags: PolicyFlags) => ({
  name: flags.name,
  client_ids: flags.clientIds,
  scopes: flags.scopes,
  resources: flags.resources,
  groups: flags.groups,
  conditions: flags.condition && Object.fromEntries(flags.condition.map(condition)),
  subject_by: flags.subjectBy,
  expires_at: flags.expiresAt,
  enabled: flags.enabled,
});

function condition(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError("a condition is 'claim=value'");
  return [text.slice(0, at), text.slice(at + 1)];
}
