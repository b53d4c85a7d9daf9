export const exitCodes = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What the command line touches outside itself: the real one, or a test's. */
export interface Terminal {
  /** To standard output: answers only, so that it can be piped. */
  print(text: string): void;
  /** To standard error: everything that is not the answer. */
  tell(text: string): void;
  /** Standard input to its end. */
  readInput(): Promise<string>;
  /** The code to end with once everything is written. */
  endWith(code: ExitCode): void;
  /** Ends at once: after help, and when the command line cannot be understood. */
  leave(code: ExitCode): never;
}

export const processTerminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  tell: (text) => void process.stderr.write(`${text}\n`),
  async readInput() {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks).toString('utf8');
  },
  endWith(code) {
    process.exitCode = code;
  },
  leave: (code) => process.exit(code),
};
