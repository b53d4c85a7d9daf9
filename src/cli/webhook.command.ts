import type { Command } from 'commander';
import { exitCodes } from './terminal.js';
import type { Run } from './verb.js';

const columns = ['name', 'url', 'last_success_at', 'last_failure_at', 'last_error', 'waiting'];

export function addWebhookCommands(admin: Command, run: Run): void {
  const webhook = admin.command('webhook').description('who is told of revocations and the like');

  webhook
    .command('list')
    .description('list webhooks, and how they fared in the last 30 days')
    .action(
      run<object>(async (_, { api, output }) => output.list(await api.get('/admin/webhooks'), 'webhooks', columns)),
    );

  webhook
    .command('test')
    .description('send a webhook.test message now; exit code 1 when the receiver did not take it')
    .requiredOption('--name <name>')
    .action(
      run<{ readonly name: string }>(async ({ name }, { api, output, terminal }) => {
        const answer = await api.post(`/admin/webhooks/${encodeURIComponent(name)}/test`, {});
        output.one(answer);
        if (answer.delivered !== true) terminal.endWith(exitCodes.refused);
      }),
    );
}
