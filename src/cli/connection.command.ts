import type { Command } from 'commander';
import { paged, type PageFlags } from './flags.js';
import type { Run } from './verb.js';

interface ListFlags extends PageFlags {
  readonly user?: string;
  readonly provider?: string;
  readonly status?: string;
}

const columns = [
  'id',
  'user_id',
  'provider',
  'account',
  'scopes_granted',
  'status',
  'failing_since',
  'last_failure',
  'last_used_at',
  'last_used_agent',
  'last_used_server',
];

/** How people's accounts at upstream providers are. `grant revoke-broker` ends one. */
export function addConnectionCommands(admin: Command, run: Run): void {
  const connection = admin.command('connection').description("people's accounts at upstream providers");

  paged(connection.command('list').description('list connections and their health, those that are over included'))
    .option('--user <id>')
    .option('--provider <slug or id>')
    .option('--status <status>', 'active, reconnect_required or disconnected')
    .action(
      run<ListFlags>(async ({ limit, cursor, user, provider, status }, { api, output }) => {
        const answer = await api.get('/admin/connections', { limit, cursor, user_id: user, provider, status });
        output.list(answer, 'connections', columns);
      }),
    );
}
