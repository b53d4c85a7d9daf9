import { Command } from 'commander';
import { addAuditCommands } from './audit.command.js';
import { addClientCommands } from './client.command.js';
import { addConnectionCommands } from './connection.command.js';
import { withConnectionFlags } from './connection.js';
import { addDcrCommands } from './dcr.command.js';
import { addEncryptionCommands } from './encryption.command.js';
import { addFrontingCommands } from './fronting.command.js';
import { addGrantCommands } from './grant.command.js';
import { addGroupScopeCommands } from './group-scope.command.js';
import { addIssuanceCommands } from './issuance.command.js';
import { addJobCommands } from './job.command.js';
import { addIdpCommands } from './idp.command.js';
import { addKeyCommands } from './key.command.js';
import { addProviderCommands } from './provider.command.js';
import { addResourceCommands } from './resource.command.js';
import { addSignInProviderCommands } from './sign-in-provider.command.js';
import { exitCodes, processTerminal, type Terminal } from './terminal.js';
import { addUserCommands } from './user.command.js';
import { addWebhookCommands } from './webhook.command.js';
import { addXaaCommands } from './xaa.command.js';
import { runOn } from './verb.js';

const footer = `
Exit codes: 0 done · 1 the server refused · 2 the command line is wrong · 3 the server cannot be reached.
No command takes a secret as an argument.`;

/**
 * `authserver admin …`: a client of the admin API and nothing more, so that whatever an operator does goes one way and
 * leaves one audit trail.
 */
export function adminCommand(terminal: Terminal = processTerminal): Command {
  const admin = withConnectionFlags(new Command('admin'))
    .description('administer a running server over its admin API')
    .option('--json', 'print the answer as JSON')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.tell(text.trimEnd()),
    })
    .showHelpAfterError('(--help lists the flags)')
    .exitOverride(({ exitCode }) => terminal.leave(exitCode === 0 ? exitCodes.done : exitCodes.usage))
    .addHelpText('after', footer);

  const run = runOn(terminal);
  addClientCommands(admin, run);
  addResourceCommands(admin, run);
  addProviderCommands(admin, run);
  addFrontingCommands(admin, run);
  addIdpCommands(admin, run);
  addXaaCommands(admin, run);
  addSignInProviderCommands(admin, run);
  addGroupScopeCommands(admin, run);
  addUserCommands(admin, run);
  addGrantCommands(admin, run);
  addConnectionCommands(admin, run);
  addIssuanceCommands(admin, run);
  addAuditCommands(admin, run);
  addJobCommands(admin, run);
  addWebhookCommands(admin, run);
  addKeyCommands(admin, run);
  addEncryptionCommands(admin, run);
  addDcrCommands(admin, run);
  return admin;
}
