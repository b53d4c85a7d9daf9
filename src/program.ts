import { Command, Option } from 'commander';
import { adminCommand } from './cli/admin.command.js';
import { loadConfig } from './config/load-config.js';
import type { RestoreOptions } from './backups.js';
import { version } from './config/version.js';

/** `authserver`, every command of it. What serves or maintains is loaded only when its command runs. */
export function authserverProgram(): Command {
  const program = new Command('authserver')
    .description('A self-hosted OAuth 2.1 authorization server for the Model Context Protocol.')
    .version(version, '--version')
    .addOption(
      new Option('--config <file>', 'a YAML file with settings; AUTHPLANE_* variables override it').env(
        'AUTHPLANE_CONFIG',
      ),
    );

  const config = (role?: string): ReturnType<typeof loadConfig> =>
    loadConfig({ yamlPath: program.opts<{ config?: string }>().config, role });

  program
    .command('serve')
    .description('bring the schema up to date and answer requests')
    .option('--role <role>', 'server: do no jobs; worker: do jobs alone; all: both (server.role)')
    .action(async ({ role }: { role?: string }) => {
      const { serve } = await import('./serve.js');
      await serve(config(role));
    });

  program
    .command('migrate')
    .description('bring the schema up to date and exit')
    .action(async () => {
      const { migrateOnly } = await import('./maintenance.js');
      await migrateOnly(config());
    });

  program
    .command('purge')
    .description('delete what has expired and exit; validity never depends on it')
    .option('--keep-days <days>', 'how long codes, issuances and audit events stay, instead of what retention.… says')
    .action(async ({ keepDays }: { keepDays?: string }) => {
      const { purge } = await import('./maintenance.js');
      await purge(config(), keepDays === undefined ? undefined : Number(keepDays));
    });

  program
    .command('backup')
    .description(
      'write the whole database to one file, also while servers run; secrets of the configuration are not in it',
    )
    .requiredOption('--output <file>', 'a new file, or - for standard output')
    .action(async ({ output }: { output: string }) => {
      const { backupTo } = await import('./backups.js');
      await backupTo(config(), output);
    });

  program
    .command('restore')
    .description(
      'bring a backup into an empty database, before any server starts on it; tokens and sessions of before end',
    )
    .requiredOption('--input <file>')
    .option('--check', 'only read it from beginning to end, and tell what it is')
    .option('--keep-tokens', 'no server ran since the backup was made: tokens, codes and sessions stay what they are')
    .option('--allow-other-secrets', 'go on although secrets of the configuration are not those of the backup')
    .action(async ({ input, ...options }: { input: string } & RestoreOptions) => {
      const { checkFrom, restoreFrom } = await import('./backups.js');
      await (options.check ? checkFrom(input) : restoreFrom(config(), input, options));
    });

  program
    .command('forget-key')
    .description('revoke a signing key whose private half is lost; the next start makes a new one')
    .requiredOption('--kid <kid>')
    .action(async ({ kid }: { kid: string }) => {
      const { forgetKey } = await import('./maintenance.js');
      await forgetKey(config(), kid);
    });

  program
    .command('health')
    .description('ask the server of this configuration, on this machine, whether it answers; exit code 1 if not')
    .option('--role <role>', 'worker: the administration listener is asked (server.role)')
    .option('--url <url>', 'ask this instead of /livez of the own listener')
    .action(async ({ role, url }: { role?: string; url?: string }) => {
      const { tellHealth } = await import('./own-health.js');
      await tellHealth(() => config(role), url);
    });

  program
    .command('version')
    .description('print the version')
    .action(() => console.log(version));

  return program.addCommand(adminCommand());
}
