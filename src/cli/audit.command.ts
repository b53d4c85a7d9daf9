import type { Command } from 'commander';
import { paged, type PageFlags } from './flags.js';
import { exitCodes } from './terminal.js';
import type { Run } from './verb.js';

interface ListFlags extends PageFlags {
  readonly action?: string;
  readonly actorId?: string;
  readonly clientId?: string;
  readonly requestId?: string;
  readonly since?: string;
  readonly until?: string;
}

const columns = ['created_at', 'action', 'reason', 'actor_id', 'client_id', 'ip', 'request_id', 'detail'];

export function addAuditCommands(admin: Command, run: Run): void {
  const audit = admin.command('audit').description('who was granted or refused what, and who changed what');

  paged(audit.command('list').description('list events, newest first'))
    .option('--action <action>', 'for example token.refresh_denied')
    .option('--actor-id <id>')
    .option('--client-id <id>')
    .option('--request-id <id>', 'what an error answer or page shows')
    .option('--since <time>', 'RFC 3339, as 2026-11-21T04:00:00Z (default: the last 24 hours)')
    .option('--until <time>', 'RFC 3339')
    .action(
      run<ListFlags>(async (flags, { api, output }) => {
        const answer = await api.get('/admin/audit', {
          action: flags.action,
          actor_id: flags.actorId,
          client_id: flags.clientId,
          request_id: flags.requestId,
          since: flags.since,
          until: flags.until,
          limit: flags.limit,
          cursor: flags.cursor,
        });
        output.list(answer, 'events', columns);
      }),
    );

  audit
    .command('verify')
    .description('whether the events are those that were sealed, hour by hour; exit code 1 when they are not')
    .option('--since <time>', 'RFC 3339, as 2026-11-21T04:00:00Z (default: the last 24 hours)')
    .option('--until <time>', 'RFC 3339')
    .action(
      run<Pick<ListFlags, 'since' | 'until'>>(async ({ since, until }, { api, output, terminal }) => {
        const answer = await api.get('/admin/audit/verification', { since, until });
        output.one(answer);
        if ((answer.problems as unknown[]).length > 0) terminal.endWith(exitCodes.refused);
      }),
    );
}
