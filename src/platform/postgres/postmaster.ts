import { readFileSync, readlinkSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The running server of a data directory, as it tells in `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly socketDirectory: string;
  /** It takes connections; before that it starts or recovers. */
  readonly ready: boolean;
}

/** @returns undefined when no server runs on `dir`, whatever a leftover file says */
export function readPostmaster(dir: string): Postmaster | undefined {
  const [pid, , , port, socketDirectory = '', , , status] = read(join(dir, 'postmaster.pid'))?.split('\n') ?? [];
  if (!pid || !isServerOf(Number(pid), dir)) return undefined;
  // The lines appear one after another while it starts.
  return { pid: Number(pid), port: Number(port), socketDirectory, ready: status?.trim() === 'ready' };
}

/**
 * After a crash the file may name a process id that another program has by now, and PostgreSQL would refuse to start. We put our
 * own there, which it accepts from its parent; the rest stays, because by it PostgreSQL sees whether orphaned backends still use
 * the shared memory. Deleting the file would remove that guard.
 */
export function disownStalePidFile(dir: string): void {
  const file = join(dir, 'postmaster.pid');
  const [pid, ...rest] = read(file)?.split('\n') ?? [];
  if (pid && isAlive(Number(pid)) && !isServerOf(Number(pid), dir))
    writeFileSync(file, [process.pid, ...rest].join('\n'));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Whether the process runs and is the postmaster of `dir`; one that has ended and waits to be reaped is not. */
export function isServerOf(pid: number, dir: string): boolean {
  if (!isAlive(pid)) return false;
  const commandLine = read(`/proc/${pid}/cmdline`);
  if (commandLine === undefined) return process.platform !== 'linux'; // nothing to compare with elsewhere
  if (!commandLine.includes('postgres')) return false; // reused, or a zombie
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(dir); // a postmaster lives in its data directory
  } catch (error) {
    return codeOf(error) !== 'ENOENT'; // another user's process may not be looked into; one that has gone is none
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
