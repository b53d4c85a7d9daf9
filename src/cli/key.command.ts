import type { Command } from 'commander';
import type { Run } from './verb.js';

const columns = ['kid', 'alg', 'use', 'status', 'created_at', 'activates_at', 'published_until'];

export function addKeyCommands(admin: Command, run: Run): void {
  const key = admin.command('key').description('the keys that sign tokens');

  key
    .command('list')
    .description('list signing keys')
    .action(run<object>(async (_, { api, output }) => output.list(await api.get('/admin/keys'), 'keys', columns)));

  key
    .command('rotate')
    .description('make a new signing key; tokens of the old one stay valid')
    .option('--activate-after <duration>', 'publish it now and sign with it later, as 10m (default: at once)')
    .action(
      run<{ readonly activateAfter?: string }>(async (flags, { api, output }) =>
        output.one(await api.post('/admin/keys/rotate', { activate_after: flags.activateAfter })),
      ),
    );

  key
    .command('revoke')
    .description('take a key away: every token it signed is refused at once')
    .requiredOption('--kid <kid>')
    .action(
      run<{ readonly kid: string }>(async ({ kid }, { api, output }) => {
        await api.delete(`/admin/keys/${encodeURIComponent(kid)}`);
        output.done(`key ${kid} is revoked`, { revoked: kid });
      }),
    );
}
