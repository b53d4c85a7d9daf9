import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { inject } from 'vitest';
import { poolConfig, withClient, type PoolSize } from '../src/platform/postgres/connection.js';
import { Database } from '../src/platform/postgres/database.js';
import { startEmbedded, type EmbeddedConnection } from '../src/platform/postgres/embedded-postgres.js';
import { migrate } from '../src/platform/postgres/migrate.js';

/** Where the test run's cluster is; in `inject('postgres')` of every test file. */
export interface TestCluster {
  readonly host: string;
  readonly port: number;
  readonly user: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestCluster;
  }
}

const TEMPLATE = 'authplane_template';

/**
 * For the global set-up, once per run: the embedded server on a directory of its own, without fsync, with a template database
 * that has the schema.
 */
export async function startCluster(): Promise<{ cluster: TestCluster; stop(): Promise<void> }> {
  const { path, remove } = temporaryDirectory();
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' };
  const server = await startEmbedded({ path: join(path, 'postgres'), log: () => {}, settings });
  const { host, port, user } = server.connection;
  await withClient(server.connection, (client) => client.query(`create database ${TEMPLATE}`));
  await migrate({ host, port, user, database: TEMPLATE }, new Date());
  return {
    cluster: { host, port, user },
    stop: async () => {
      await server.stop();
      remove();
    },
  };
}

/** A database of its own with the schema, for one test file. */
export async function freshDatabase(): Promise<{ connection: EmbeddedConnection; drop(): Promise<void> }> {
  return createDatabase(`template ${TEMPLATE}`);
}

/** A database without a table. */
export async function emptyDatabase(): Promise<{ connection: EmbeddedConnection; drop(): Promise<void> }> {
  return createDatabase('');
}

/** A copy of a database that nobody is connected to. */
export async function copyOf({ database }: EmbeddedConnection): Promise<{
  connection: EmbeddedConnection;
  drop(): Promise<void>;
}> {
  return createDatabase(`template ${database}`);
}

async function createDatabase(options: string) {
  const cluster = inject('postgres');
  const database = `test_${randomBytes(6).toString('hex')}`;
  const admin = { ...cluster, database: 'postgres' };
  await withClient(admin, (client) => client.query(`create database ${database} ${options}`));
  return {
    connection: { ...cluster, database },
    drop: async () => {
      await withClient(admin, (client) => client.query(`drop database if exists ${database} with (force)`));
    },
  };
}

/** `Database` without a Nest application. `end` is to be called before the database is dropped. */
export async function openDatabase(
  connection: EmbeddedConnection,
  size: PoolSize = {},
): Promise<{ database: Database; end(): Promise<void> }> {
  const extra = poolConfig(connection, size);
  const source = new DataSource({ type: 'postgres', parseInt8: true, logging: false, extra });
  await source.initialize();
  return { database: new Database(source), end: () => source.destroy() };
}

/** A directory with a short path, and open to the operating system's user that runs the server when we are root. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'authplane-test-'));
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
