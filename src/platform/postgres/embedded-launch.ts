import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { CHILD, type EmbeddedRunner } from './embedded-runner.js';

/** A PostgreSQL that has been told to start. */
export interface Launch {
  exited(): boolean;
  /** What it has said since. */
  logTail(): string;
}

const MAX_LOG_BYTES = 10_000_000;
const SETTINGS = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  port: '5432', // only the name of the socket
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Errors of statements would bring values of rows into the log: the application reports its own.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
};

/** Starts the server in a session of its own, so that neither Ctrl-C nor our death reaches it. */
export function launch(runner: EmbeddedRunner, logFile: string, settings: Readonly<Record<string, string>>): Launch {
  const log = openSync(logFile, 'a', 0o600);
  if (statSync(logFile).size > MAX_LOG_BYTES) truncateSync(logFile);
  const start = statSync(logFile).size;
  const options = Object.entries({ ...SETTINGS, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const { file, args } = runner.command('postgres', ['-D', runner.dir, ...options]);
  const child = spawn(file, args, { ...CHILD, ...runner.owner, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  child.unref();
  return {
    exited: () => failure !== undefined || child.exitCode !== null || child.signalCode !== null,
    logTail: () =>
      `${failure?.message ?? ''}${readFileSync(logFile).subarray(start).subarray(-2_000).toString()}`.trim(),
  };
}
