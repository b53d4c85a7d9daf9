/**
 * A process like a server, to be killed: starts or adopts the embedded database of argv[2], holds the serve lock and inserts
 * through the batcher until it dies; without the lock it inserts nothing. Prints a line for what it has, and the number of each row whose commit was acknowledged.
 */
import { join } from 'node:path';
import { DataSource } from 'typeorm';

const built = join(import.meta.dirname, '..', '..', 'dist', 'src', 'platform', 'postgres');
const { poolConfig } = await import(join(built, 'connection.js'));
const { Database } = await import(join(built, 'database.js'));
const { startEmbedded } = await import(join(built, 'embedded-postgres.js'));
const { InsertBatcher } = await import(join(built, 'insert-batcher.js'));
const { takeServeLock } = await import(join(built, 'serve-lock.js'));

const server = await startEmbedded({ path: process.argv[2], log: () => {} });
const lock = await takeServeLock(server.connection);
const source = await new DataSource({ type: 'postgres', extra: poolConfig(server.connection) }).initialize();
const database = new Database(source);
await database.query('create table if not exists inserted (n int primary key)');
const [{ next }] = await database.query('select coalesce(max(n), 0)::int + 1 as next from inserted');
const sql = 'insert into inserted (n) select n from jsonb_to_recordset($1::jsonb) as r(n int)';
const batcher = new InsertBatcher({ run: (rows) => database.query(sql, [rows], 'inserted.insert') });

const say = (line) => new Promise((said) => process.stdout.write(`${line}\n`, said));
await say(JSON.stringify({ adopted: server.adopted, locked: lock !== undefined }));
let n = next;
const caller = async () => {
  for (;;) {
    const mine = n++;
    await batcher.add({ n: mine });
    await say(mine);
  }
};
await Promise.all(Array.from({ length: lock ? 16 : 0 }, caller)); // the pool keeps the process alive
