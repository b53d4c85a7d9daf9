/** Whatever a run starts on this machine, and that nothing of it stays: neither after a failure nor after Ctrl-C. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set();
const undoings = [];

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  while (undoings.length > 0) undoings.pop()();
});

/** @param work done, last first, when this process ends; synchronous */
export function atTheEnd(work) {
  undoings.push(work);
}

/** Does now what was to be done at the end, down to a mark that `undoings()` gave. */
export function undo(mark) {
  while (undoings.length > mark) undoings.pop()();
}

export const undoMark = () => undoings.length;

/** @param options.log the file that output is appended to */
export function launch(command, args, { log, ...options }) {
  const output = openSync(log, 'a');
  const child = spawn(command, args, { stdio: ['ignore', output, output], ...options });
  child.once('error', () => running.delete(child));
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.log = log;
  return child;
}

export const lives = (child) => child !== undefined && child.exitCode === null && child.signalCode === null;

/** @returns the exit code, or the signal that ended it */
export async function end(child, signal) {
  if (!lives(child)) return child?.exitCode ?? child?.signalCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  child.kill('SIGCONT'); // one that is frozen hears nothing but SIGKILL
  const [code, by] = await exited;
  return code ?? by;
}

/** Asks again and again until `ready` is true. */
export async function until(what, ready, { seconds = 180, child, log = child?.log } = {}) {
  const deadline = performance.now() + seconds * 1000;
  const fail = (why) => {
    const said = log ? `\n${readFileSync(log, 'utf8').slice(-3000)}` : '';
    throw new Error(`${what}: ${why}${said}`);
  };
  while (!(await ready().catch(() => false))) {
    if (child && !lives(child)) fail('the process ended');
    if (performance.now() > deadline) fail(`not within ${seconds} s`);
    await sleep(25);
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
