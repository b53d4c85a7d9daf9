import type { Command } from 'commander';
import type { Run } from './verb.js';

export function addDcrCommands(admin: Command, run: Run): void {
  const dcr = admin.command('dcr').description('who may register clients (dynamic client registration)');

  dcr
    .command('get')
    .description('show the mode')
    .action(run<object>(async (_, { api, output }) => output.one(await api.get('/admin/settings/dcr'))));

  dcr
    .command('set')
    .description('change the mode, without a restart')
    .requiredOption('--mode <mode>', 'open, approved_redirects or admin_only')
    .action(
      run<{ readonly mode: string }>(async ({ mode }, { api, output }) =>
        output.one(await api.patch('/admin/settings/dcr', { mode })),
      ),
    );
}
