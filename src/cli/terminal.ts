import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

export const exitCodes = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What the command line touches outside itself: the real one, or a test's. */
export interface Terminal {
  /** To standard output: answers only, so that it can be piped. */
  print(text: string): void;
  /** To standard error: everything that is not the answer. */
  tell(text: string): void;
  /** Standard input to its end; from a person at a terminal one line, asked for and not shown. */
  readSecret(prompt: string): Promise<string>;
  /** The code to end with once everything is written. */
  endWith(code: ExitCode): void;
  /** Ends at once: after help, and when the command line cannot be understood. */
  leave(code: ExitCode): never;
}

export const processTerminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  tell: (text) => void process.stderr.write(`${text}\n`),
  async readSecret(prompt) {
    if (process.stdin.isTTY) return askHidden(prompt);
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString('utf8');
  },
  endWith(code) {
    process.exitCode = code;
  },
  leave: (code) => process.exit(code),
};

/** What is typed is echoed to nowhere. */
async function askHidden(prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(`${prompt}: `);
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
