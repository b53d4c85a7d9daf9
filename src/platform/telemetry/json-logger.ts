import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import { requestContext } from '../http/request-context.js';
import { currentTrace } from './spans.js';

export interface LoggingSettings {
  level: 'debug' | 'info' | 'warn' | 'error';
  format: 'json' | 'text';
}

/** Members that never reach a log line, whatever object they stand in. */
const SECRET_MEMBERS = [
  'password',
  'client_secret',
  'clientSecret',
  'code',
  'code_verifier',
  'access_token',
  'refresh_token',
  'token',
  'assertion',
  'authorization',
  'cookie',
  'email',
  'secret',
].flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Where Nest tells of every module and route it knows: a hundred lines at each start, which say what the code says. */
const NEST_START = new Set(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication']);

/**
 * A line for each write costs a busy server as much as making a token. What waits is written when the process ends in order; one that is
 * killed loses this much of its log, and nothing of its audit, which is in the database.
 */
const BUFFERING = { minLength: 4096, periodicFlush: 100 };

/** Nest's logger on pino: JSON lines with the request id; `text` is for reading along on a terminal. */
export class JsonLogger implements LoggerService {
  readonly #pino: Logger;

  constructor(settings: LoggingSettings, destination?: NodeJS.WritableStream) {
    const options = {
      level: settings.level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level: string) => ({ level }) },
      redact: { paths: SECRET_MEMBERS, censor: '[hidden]' },
      mixin: () => {
        const context = requestContext();
        return context ? { request_id: context.requestId, ...currentTrace() } : { ...currentTrace() };
      },
    };
    const out = settings.format === 'text' ? textLines(destination ?? process.stdout) : destination;
    this.#pino = out ? pino(options, out) : pino(options, pino.destination({ dest: 1, sync: false, ...BUFFERING }));
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.#write(NEST_START.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.#write('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.#write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.#write('debug', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.#write('fatal', message, rest);
  }

  /** Nest passes the context's name last. */
  #write(level: 'debug' | 'info' | 'warn' | 'error' | 'fatal', message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? rest.at(-1) : undefined;
    if (typeof message === 'object' && message !== null) {
      const { message: text, ...members } = message as { message?: unknown };
      this.#pino[level]({ context, ...members }, String(text ?? ''));
    } else {
      this.#pino[level]({ context }, String(message));
    }
  }
}

const textLines = (out: NodeJS.WritableStream) => ({
  write(line: string): void {
    const { time, level, context, msg, request_id: requestId, ...members } = JSON.parse(line) as Record<string, string>;
    const more = Object.keys(members).length > 0 ? ` ${JSON.stringify(members)}` : '';
    out.write(
      `${time?.slice(11, 23)} ${level?.padEnd(5)} ${context ?? ''}: ${msg}${more}${requestId ? ` [${requestId}]` : ''}\n`,
    );
  },
});
