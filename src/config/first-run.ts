import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.js';

export interface LocalSecrets {
  readonly config: Config;
  /** True on the run that generated them, so that the admin key is printed once. */
  readonly created: boolean;
}

export const adminKeyFile = 'admin-api-key';
export const sessionSecretFile = 'session-secret';

/**
 * On a localhost issuer, what is unset of `session.secret` and `admin.api_key` is generated once, kept in a file of mode 0600
 * below `data_dir`, and read from there on later runs. Off localhost nothing is ever generated: the configuration is returned as it is.
 *
 * @throws Error when a file cannot be written or does not hold a secret
 */
export function ensureLocalSecrets(config: Config): LocalSecrets {
  if (!config.isLocal) return { config, created: false };
  const session = config.session.secret ? undefined : keep(config.dataDir, sessionSecretFile);
  const admin = config.admin.apiKey ? undefined : keep(config.dataDir, adminKeyFile);
  const filled = withValues(config, {
    session: session ? withValues(config.session, { secret: session.value }) : config.session,
    admin: admin ? withValues(config.admin, { apiKey: admin.value }) : config.admin,
  });
  return { config: filled, created: Boolean(session?.created || admin?.created) };
}

/** The key that a first run left for commands on the same machine; undefined where there is none. */
export function readLocalAdminKey(dataDir: string): string | undefined {
  return readSecret(join(dataDir, adminKeyFile));
}

function keep(dataDir: string, name: string): { value: string; created: boolean } {
  const path = join(dataDir, name);
  const kept = readSecret(path);
  if (kept !== undefined) return { value: kept, created: false };
  mkdirSync(dataDir, { recursive: true, mode: directoryMode() });
  const value = randomBytes(32).toString('base64url');
  const created = writeOnce(path, value);
  return { value: created ? value : (readSecret(path) ?? value), created };
}

/** For its owner alone; as root others may pass through it, because the embedded PostgreSQL then runs as another user. */
function directoryMode(): number {
  return process.getuid?.() === 0 ? 0o711 : 0o700;
}

/** Written beside and linked into place: a second process sees the whole secret or none, and never replaces it. */
function writeOnce(path: string, value: string): boolean {
  const beside = `${path}.${randomBytes(6).toString('hex')}`;
  const file = openSync(beside, 'wx', 0o600);
  try {
    writeSync(file, `${value}\n`);
    fsyncSync(file);
    linkSync(beside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    closeSync(file);
    rmSync(beside, { force: true });
  }
}

function readSecret(path: string): string | undefined {
  let value: string;
  try {
    value = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (value.length < 32)
    throw new Error(`${path} does not hold a secret of 32 characters: remove it to generate a new one`);
  chmodSync(path, 0o600);
  return value;
}

/** A frozen copy with other values; what is not enumerable stays so. */
function withValues<T extends object>(section: T, values: Partial<T>): T {
  const descriptors: PropertyDescriptorMap = Object.getOwnPropertyDescriptors(section);
  for (const [property, value] of Object.entries(values)) descriptors[property] = { ...descriptors[property], value };
  return Object.freeze(Object.create(Object.getPrototypeOf(section) as object, descriptors) as T);
}
