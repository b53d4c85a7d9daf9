import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Config } from './config/config.js';
import { ensureLocalSecrets } from './config/first-run.js';
import { secretMarks } from './config/secret-marks.js';
import { version } from './config/version.js';
import { withStorage } from './maintenance.js';
import { backup } from './platform/backup/backup.js';
import { noteBackup } from './platform/backup/last-backup.js';
import type { Manifest } from './platform/backup/manifest.js';
import { checkBackup, restore } from './platform/backup/restore.js';
import type { PostgresConnection } from './platform/postgres/connection.js';
import { SystemClock } from './platform/clock/clock.js';

export interface RestoreOptions {
  readonly check?: boolean;
  readonly keepTokens?: boolean;
  readonly allowOtherSecrets?: boolean;
}

/** `authserver backup`: to a file that nobody else may read, which has its name only when it is whole; `-` is standard output. */
export async function backupTo(loaded: Config, output: string): Promise<void> {
  const { config } = ensureLocalSecrets(loaded);
  const circumstances = {
    version,
    createdAt: new SystemClock().now().toISOString(),
    issuer: config.server.issuer,
    secretMarks: secretMarks(config),
    keyStore: config.signing.keyStore,
  };
  await withStorage(config, async (connection) => {
    if (output === '-') {
      console.error(summary(await backup(connection, process.stdout, circumstances)));
      return note(connection, circumstances.createdAt);
    }
    const part = `${output}.part`;
    if (existsSync(output)) throw new Error(`${output} is there already: name a new file`);
    try {
      const manifest = await backup(connection, createWriteStream(part, { mode: 0o600, flags: 'wx' }), circumstances);
      await onDisk(part);
      renameSync(part, output);
      console.log(summary(manifest));
      await note(connection, circumstances.createdAt);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') rmSync(part, { force: true });
      throw error;
    }
  });
}

async function note(connection: PostgresConnection, createdAt: string): Promise<void> {
  if (await noteBackup(connection, createdAt)) return;
  console.error(
    'authserver: the backup is whole, but the database does not let it be noted: the metrics will not know of it',
  );
}

/** `authserver restore --check` */
export async function checkFrom(input: string): Promise<void> {
  const manifest = await checkBackup(input);
  console.log(`${summary(manifest)}\nevery row is there`);
}

/** `authserver restore` */
export async function restoreFrom(loaded: Config, input: string, options: RestoreOptions): Promise<void> {
  const { keepTokens = false, allowOtherSecrets = false } = options;
  const { config } = ensureLocalSecrets(loaded);
  const manifest = await checkBackup(input);
  const other = otherSecrets(manifest, secretMarks(config));
  if (other.length > 0 && !allowOtherSecrets)
    throw new Error(
      `the backup was made with another ${other.join(' and another ')}: configure the former, or give --allow-other-secrets`,
    );
  await withStorage(config, (connection) => restore(connection, input, { now: new SystemClock().now(), keepTokens }));
  console.log(`restored: ${summary(manifest)}`);
  console.log(keepTokens ? 'tokens and sessions are as they were' : 'tokens, codes and sessions of before have ended');
  if (manifest.keyStore === 'keyfile')
    console.log(`private signing keys are not in a backup: copy the files to ${config.signing.keyPath}, or forget-key`);
  if (manifest.keyStore === 'vault_transit')
    console.log('private signing keys are not in a backup: configure the Vault that has them, or forget-key');
}

/** The settings whose secret is missing now. A former master key that is still there opens what it sealed. */
function otherSecrets({ secretMarks: before }: Manifest, now: Readonly<Record<string, string>>): string[] {
  const masterKey = 'data_encryption.aes_master.key_env';
  const masterKeys = [now[masterKey], now['data_encryption.aes_master.old_key_env']];
  const wanted = ['session.secret', 'client_secret_pepper', masterKey].filter((setting) => before[setting]);
  return wanted.filter((setting) =>
    setting === masterKey ? !masterKeys.includes(before[setting]) : now[setting] !== before[setting],
  );
}

function summary({ issuer, createdAt, version: by, tables }: Manifest): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return `${issuer}, ${createdAt}, by version ${by}: ${rows} rows in ${tables.length} tables`;
}

/** So that a power cut after "done" finds it whole. */
async function onDisk(path: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.sync().finally(() => file.close());
}
