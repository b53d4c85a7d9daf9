import 'reflect-metadata';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoggerService } from '@nestjs/common';
import { startApplication } from '../src/application.js';
import { loadConfig } from '../src/config/load-config.js';
import { Clock } from '../src/platform/clock/clock.js';
import type { PostgresConnection } from '../src/platform/postgres/connection.js';
import { withClient } from '../src/platform/postgres/connection.js';
import { freshDatabase } from './postgres.js';
import { freePort } from './free-port.js';

/** A clock that moves only when a test says so. It starts at the real time, since other people's clients look at theirs. */
export class SettableClock extends Clock {
  #now = new Date();

  now(): Date {
    return new Date(this.#now);
  }

  advance(seconds: number): void {
    this.#now = new Date(this.#now.getTime() + seconds * 1000);
  }
}

/** For a test in which other processes take part, who look at their own clock. */
export class RunningClock extends SettableClock {
  override now(): Date {
    return new Date();
  }
}

export interface TestAppOptions {
  /** Settings by their variable without `AUTHPLANE_`: `{ OAUTH_CODE_TTL: '1m' }`. */
  settings?: Readonly<Record<string, string>>;
  /** What the configuration file says. */
  yaml?: string;
  redisUrl?: string;
  clock?: SettableClock;
  /** A second replica on the database of the first. */
  beside?: TestApp;
  /** A database that the test brings, and takes away. */
  connection?: PostgresConnection;
}

export interface TestApp {
  readonly issuer: string;
  /** Where this replica listens; the issuer, unless it stands beside another. */
  readonly url: string;
  readonly adminUrl: string;
  readonly adminKey: string;
  readonly clock: SettableClock;
  readonly connection: PostgresConnection;
  /** Every log line so far. */
  readonly logged: readonly string[];
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A call of the operator's API. @returns status and parsed body */
  admin(method: string, path: string, body?: object): Promise<AdminAnswer>;
  close(): Promise<void>;
}

/** What the builders need of a server, in this process or in another. */
export type Target = Pick<TestApp, 'issuer' | 'url' | 'admin'>;

export interface AdminAnswer {
  readonly status: number;
  /** Parsed JSON, or `{}` when there was no body. */
  readonly body: any;
}

const ADMIN_KEY = 'test-admin-key-0123456789abcdef';
export const SESSION_SECRET = 'test-session-secret-0123456789abcdef0123456789';

/** Boots the real application with real listeners on a database of its own. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { settings = {}, redisUrl, clock = new SettableClock(), beside } = options;
  const given = beside?.connection ?? options.connection;
  const database = given ? { connection: given, drop: async () => undefined } : await freshDatabase();
  const dataDir = beside ? undefined : mkdtempSync(join(tmpdir(), 'authplane-app-'));
  const [port, adminPort] = [await freePort(), await freePort()];
  const issuer = beside?.issuer ?? `http://localhost:${port}`;
  const yamlPath = options.yaml === undefined ? undefined : join(tmpdir(), `authplane-${port}.yaml`);
  if (yamlPath !== undefined) writeFileSync(yamlPath, options.yaml ?? '', { mode: 0o600 });
  const config = loadConfig({
    yamlPath,
    env: {
      AUTHPLANE_SERVER_ISSUER: issuer,
      AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${port}`,
      AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
      AUTHPLANE_ADMIN_API_KEY: ADMIN_KEY,
      AUTHPLANE_SESSION_SECRET: SESSION_SECRET,
      AUTHPLANE_DATA_DIR: dataDir ?? (beside as TestAppInternals).dataDir,
      AUTHPLANE_LOG_LEVEL: 'debug',
      ...(redisUrl ? { AUTHPLANE_REDIS_URL: redisUrl } : {}),
      ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`AUTHPLANE_${name}`, value])),
    },
  });
  if (yamlPath !== undefined) rmSync(yamlPath);
  const logged: string[] = [];
  const application = await startApplication({ config, connection: database.connection, clock }, collecting(logged));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const app: TestAppInternals = {
    issuer,
    url: `http://localhost:${port}`,
    adminUrl,
    adminKey: ADMIN_KEY,
    clock,
    connection: database.connection,
    logged,
    dataDir: dataDir ?? (beside as TestAppInternals).dataDir,
    sql: (text, values) => withClient(database.connection, async (client) => (await client.query(text, values)).rows),
    admin: async (method, path, body) => {
      const response = await fetch(`${adminUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${ADMIN_KEY}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        body: body ? JSON.stringify(body) : undefined,
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
    },
    close: async () => {
      await application.close();
      await database.drop();
      if (dataDir) rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return app;
}

interface TestAppInternals extends TestApp {
  dataDir: string;
}

function collecting(lines: string[]): LoggerService {
  const add = (...parts: unknown[]): void =>
    void lines.push(parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' '));
  return { log: add, error: add, warn: add, debug: add, verbose: add, fatal: add };
}
