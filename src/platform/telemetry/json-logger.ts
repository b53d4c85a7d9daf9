import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger } from 'pino';
import type { LoggingSettings } from '../../config/observability-settings.js';
import { requestContext } from '../http/request-context.js';
import { currentTrace } from './spans.js';

/** A line, as whoever is written to can read it. */
export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly context?: string;
  readonly request_id?: string;
  readonly trace_id?: string;
  readonly span_id?: string;
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

/** Nest's logger on pino: JSON lines with the ids of their request and trace, and without secrets. */
export class JsonLogger implements LoggerService {
  readonly #pino: Logger;

  constructor(level: LoggingSettings['level'], destination: DestinationStream) {
    const options = {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label: string) => ({ level: label }) },
      redact: { paths: SECRET_MEMBERS, censor: '[hidden]' },
      mixin: () => {
        const context = requestContext();
        return context ? { request_id: context.requestId, ...currentTrace() } : { ...currentTrace() };
      },
    };
    this.#pino = pino(options, destination);
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
