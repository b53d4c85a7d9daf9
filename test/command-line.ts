import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adminCommand } from '../src/cli/admin.command.js';
import type { Terminal } from '../src/cli/terminal.js';
import type { TestApp } from './app.js';

const MAIN = join(import.meta.dirname, '..', 'dist', 'src', 'main.js');

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The words of a line as a shell splits it; `'…'` holds spaces. */
export const typed = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');

/** How commander ends after help and usage errors, when the process is to live on. */
class Left extends Error {}

/** `authserver admin …` against a server, in this process. */
export class CommandLine {
  readonly #directory = mkdtempSync(join(tmpdir(), 'authplane-cli-'));
  readonly keyFile: string;

  constructor(private readonly app: Pick<TestApp, 'adminUrl' | 'adminKey'>) {
    this.keyFile = this.file('admin-api-key', `${app.adminKey}\n`);
  }

  /** A file for the command to read. */
  file(name: string, content: string): string {
    const path = join(this.#directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  /** As an operator types it; which server is meant and the key are added unless `args` say so. */
  async run(args: readonly string[], { stdin = '' } = {}): Promise<CommandResult> {
    const out: string[] = [];
    const err: string[] = [];
    let code = 0;
    const terminal: Terminal = {
      print: (text) => void out.push(text),
      tell: (text) => void err.push(text),
      readSecret: () => Promise.resolve(stdin),
      endWith: (given) => void (code = given),
      leave: (given) => {
        code = given;
        throw new Left();
      },
    };
    const connection = [
      ...(args.includes('--admin-url') ? [] : ['--admin-url', this.app.adminUrl]),
      ...(args.includes('--api-key-file') ? [] : ['--api-key-file', this.keyFile]),
    ];
    await adminCommand(terminal)
      .parseAsync([...args, ...connection], { from: 'user' })
      .catch((error: unknown) => {
        if (!(error instanceof Left)) throw error;
      });
    return { code, stdout: out.join('\n'), stderr: err.join('\n') };
  }

  /** The answer of a command that must succeed. */
  async json(...args: string[]): Promise<any> {
    const { code, stdout, stderr } = await this.run([...args, '--json']);
    if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The built program, as a process of its own with nothing but these variables. */
export function runProgram(
  args: readonly string[],
  { env = {}, stdin = '' }: { env?: Readonly<Record<string, string>>; stdin?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (part: string) => (stdout += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (stderr += part));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() }));
    child.stdin.end(stdin);
  });
}
