import type { Command } from 'commander';
import { wholeNumber } from './flags.js';
import type { Run } from './verb.js';

const columns = ['id', 'name', 'state', 'attempts_made', 'attempts', 'last_error', 'created_at', 'run_at'];

export function addJobCommands(admin: Command, run: Run): void {
  const job = admin.command('job').description('what is done after the answer');

  job
    .command('list')
    .description('list jobs')
    .option(
      '--state <states>',
      'waiting, active, delayed, completed, failed, with commas between (default: all but completed)',
    )
    .option('--limit <count>', '1 to 1000', wholeNumber, 100)
    .action(
      run<{ readonly state?: string; readonly limit: number }>(async (flags, { api, output }) =>
        output.list(await api.get('/admin/jobs', { ...flags }), 'jobs', columns),
      ),
    );

  job
    .command('run')
    .description('run a regular job now, besides its schedule')
    .requiredOption('--name <name>', 'for example expiry-sweep')
    .action(
      run<{ readonly name: string }>(async ({ name }, { api, output }) =>
        output.one(await api.post('/admin/jobs', { name })),
      ),
    );

  job
    .command('retry')
    .description('try a job that failed, or waits for its next attempt, at once')
    .requiredOption('--id <id>')
    .action(
      run<{ readonly id: string }>(async ({ id }, { api, output }) => {
        await api.post(`/admin/jobs/${encodeURIComponent(id)}/retry`, {});
        output.done(`job ${id} is tried again`, { retried: id });
      }),
    );
}
