import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestRedis } from './redis.js';

const SWITCH = '+switch-master';

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const array = (...items: string[]): string => `*${items.length}\r\n${items.join('')}`;

/** Says what sentinels say, at the moments when real ones only seldom do. */
export class ScriptedSentinel {
  readonly listening = new Set<Socket>();
  questions = 0;
  /** Runs before the question for the primary is answered. */
  beforeAnswer: () => Promise<void> = () => Promise.resolve();
  readonly #open = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#open.add(socket.once('close', () => this.#open.delete(socket)).on('error', () => {}));
    socket.on('data', (chunk) => {
      const commands = chunk
        .toString()
        .split(/^\*\d+\r\n/m)
        .slice(1);
      for (const each of commands)
        void this.#hear(
          socket,
          each.split('\r\n').filter((_, index) => index % 2 === 1),
        );
    });
  });

  constructor(private readonly primary: TestRedis) {}

  async start(port = 0): Promise<string> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Comes back when everybody who listened has left. */
  async sayAndWait(word: string): Promise<void> {
    // However they leave: one with another word unread resets its line, and `once` would take that for a failure.
    const gone = [...this.listening].map((listener) => new Promise((left) => listener.once('close', left)));
    this.say(word);
    await Promise.all(gone);
  }

  say(word: string): void {
    for (const listener of this.listening) listener.write(array(bulk('message'), bulk(SWITCH), bulk(word)));
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  async #hear(socket: Socket, [command, subcommand]: string[]): Promise<void> {
    if (command?.toLowerCase() === 'subscribe') {
      this.listening.add(socket.once('close', () => this.listening.delete(socket)));
      socket.write(array(bulk('subscribe'), bulk(SWITCH), ':1\r\n'));
    } else if (subcommand === 'get-master-addr-by-name') {
      this.questions += 1;
      await this.beforeAnswer();
      socket.write(array(bulk('127.0.0.1'), bulk(`${this.primary.port}`)));
    } else if (subcommand === 'sentinels') socket.write(array());
    else socket.write(`-ERR unknown command '${command}'\r\n`);
  }
}
