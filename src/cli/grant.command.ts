import type { Command } from 'commander';
import type { Run } from './verb.js';

const columns = ['id', 'client_id', 'resource_id', 'scopes', 'created_at', 'revoked_at'];

export function addGrantCommands(admin: Command, run: Run): void {
  const grant = admin.command('grant').description('what people allowed');

  grant
    .command('list-user-grants')
    .description('everything a user ever allowed, withdrawn ones included')
    .requiredOption('--user <id>')
    .action(
      run<{ readonly user: string }>(async ({ user }, { api, output }) => {
        const answer = await api.get(`/admin/users/${encodeURIComponent(user)}/grants`);
        output.list(answer, 'consent_grants', columns);
      }),
    );

  grant
    .command('revoke-consent')
    .description('withdraw a consent; every token issued under it ends')
    .requiredOption('--id <id>')
    .action(
      run<{ readonly id: string }>(async ({ id }, { api, output }) => {
        await api.delete(`/admin/grants/consent/${encodeURIComponent(id)}`);
        output.done(`consent ${id} is withdrawn`, { revoked: id });
      }),
    );

  grant
    .command('revoke-broker')
    .description('end a connected account; the provider is told')
    .requiredOption('--id <id>')
    .action(
      run<{ readonly id: string }>(async ({ id }, { api, output }) => {
        await api.delete(`/admin/grants/broker/${encodeURIComponent(id)}`);
        output.done(`connection ${id} is over`, { revoked: id });
      }),
    );
}
