import type { Command } from 'commander';
import { wholeNumber } from './flags.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface ListFlags {
  readonly user?: string;
  readonly client?: string;
  readonly resource?: string;
  readonly jti?: string;
  readonly since?: string;
  readonly limit: number;
}

const columns = [
  'jti',
  'client_id',
  'subject_user_id',
  'resource_id',
  'scopes',
  'issued_at',
  'expires_at',
  'revoked_at',
];

export function addIssuanceCommands(admin: Command, run: Run): void {
  const issuance = admin.command('issuance').description('the record of every token issued');

  issuance
    .command('list')
    .description('list issuances of a user, client or resource, or find one by jti')
    .option('--user <id>')
    .option('--client <id>')
    .option('--resource <id>')
    .option('--jti <jti>')
    .option('--since <duration>', 'how far back, as 90m, 24h, 7d; at most 30d (default 24h)')
    .option('--limit <count>', '1 to 5000', wholeNumber, 500)
    .action(
      run<ListFlags>(async ({ user, client, resource, jti, since, limit }, { api, output }) => {
        if (!(user ?? client ?? resource ?? jti))
          throw new UsageError('one of --user, --client, --resource, --jti is needed');
        const answer = await api.get('/admin/issuances', { user, client, resource, jti, since, limit });
        output.list(answer, 'issuances', columns);
      }),
    );

  issuance
    .command('get')
    .description('show one issuance')
    .requiredOption('--id <jti>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));

  issuance
    .command('revoke')
    .description('revoke one token, and what was derived from it')
    .requiredOption('--id <jti>')
    .action(
      run<IdFlags>(async (flags, { api, output }) => {
        await api.delete(at(flags));
        output.done(`token ${flags.id} is revoked`, { revoked: flags.id });
      }),
    );
}

const at = ({ id }: IdFlags): string => `/admin/issuances/${encodeURIComponent(id)}`;
