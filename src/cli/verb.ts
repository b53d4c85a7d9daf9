import type { Command } from 'commander';
import { AdminApi, Refused, Unreachable } from './admin-api.js';
import { howToGiveTheKey, openAdminApi } from './connection.js';
import { Output, printable } from './output.js';
import { exitCodes, type ExitCode, type Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';

/** What one command does: its flags are read, the server is at hand, and what it throws becomes an exit code. */
export type Verb<Flags> = (flags: Flags, at: { api: AdminApi; output: Output; terminal: Terminal }) => Promise<void>;

/** Turns a verb into a commander action. */
export type Run = <Flags>(verb: Verb<Flags>) => (flags: Flags, command: Command) => Promise<void>;

export function runOn(terminal: Terminal): Run {
  return (verb) => async (flags, command) => {
    try {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      await verb(flags, { api: openAdminApi(command), output: new Output(terminal, json), terminal });
    } catch (error) {
      const { code, lines } = explain(error);
      for (const line of lines) terminal.tell(printable(line));
      terminal.endWith(code);
    }
  };
}

function explain(error: unknown): { code: ExitCode; lines: string[] } {
  if (error instanceof UsageError) return { code: exitCodes.usage, lines: [`error: ${error.message}`] };
  if (error instanceof Unreachable) {
    const hint = 'is the server running? --admin-url or AUTHPLANE_ADMIN_URL names another address';
    return { code: exitCodes.unreachable, lines: [`error: ${error.message}`, hint] };
  }
  if (error instanceof Refused) {
    const lines = [`error: ${error.message}`];
    if (error.status === 401) lines.push(howToGiveTheKey);
    if (error.requestId) lines.push(`request id: ${error.requestId}`);
    return { code: exitCodes.refused, lines };
  }
  throw error;
}
