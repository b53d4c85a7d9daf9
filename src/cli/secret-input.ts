import type { Terminal } from './terminal.js';
import { UsageError } from './usage-error.js';

/**
 * A secret on a command line is in the shell's history and in everybody's process list, so only `-` is taken. Of what comes in
 * on standard input the line break that `echo` adds is not part of it, everything else is.
 *
 * @param name of the flag, without its dashes
 */
export async function readSecret(terminal: Terminal, name: string, flag: string): Promise<string> {
  const what = name.replaceAll('-', ' ');
  if (flag !== '-')
    throw new UsageError(`a ${what} is not given as an argument: use --${name} - and send it on standard input`);
  const secret = (await terminal.readSecret(what.charAt(0).toUpperCase() + what.slice(1))).replace(/\r?\n$/, '');
  if (secret === '') throw new UsageError(`standard input held no ${what}`);
  return secret;
}
