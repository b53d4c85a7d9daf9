import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { EmbeddedBinaries } from './embedded-binaries.js';

/**
 * How PostgreSQL, which refuses to be root, is run: `as-is` (we are not root); as an operating system user of its own; inside a
 * user namespace, where root is somebody else; or `copied` to a place that such a user can reach.
 */
export type EmbeddedHow = 'as-is' | 'os-user' | 'unshare' | 'copied';

interface OsUser {
  readonly uid: number;
  readonly gid: number;
}

/** How and where the programs of one cluster are run. */
export interface EmbeddedRunner {
  readonly how: EmbeddedHow;
  /** The data directory, without symlinks. */
  readonly dir: string;
  readonly owner: OsUser | undefined;
  /** The command line of a program of the package. */
  command(program: 'initdb' | 'postgres', args: readonly string[]): { file: string; args: string[] };
}

/** Clean, so that no PG* variable of ours changes anything. The working directory must be reachable by every user. */
export const CHILD = {
  cwd: '/',
  env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
};

const SYSTEM_HOME = '/var/lib/authplane';
/** Who root is inside the namespace: an id that every system has a name for, which initdb insists on. */
const NAMESPACE = ['--user', '--map-user=1', '--map-group=1'];

/**
 * Probes, does not guess: what works depends on where the clone and the data lie, and on what the container allows. A cluster
 * that exists stays with its owner.
 *
 * @param path absolute, of the data directory, which need not exist
 */
export function chooseRunner(path: string, binaries: EmbeddedBinaries): EmbeddedRunner {
  mkdirSync(dirname(path), { recursive: true });
  const exists = existsSync(join(path, 'PG_VERSION'));
  const dir = exists ? realpathSync(path) : join(realpathSync(dirname(path)), path.slice(dirname(path).length + 1));
  if (process.getuid?.() !== 0) return runner('as-is', dir, binaries.native);

  const { uid, gid } = exists ? statSync(dir) : { uid: -1, gid: -1 };
  const user = uid > 0 ? { uid, gid } : uid === 0 ? undefined : findOsUser();
  if (user && canRun(user, binaries.native) && canEnter(user, dirname(dir))) {
    return runner(dirname(dir) === SYSTEM_HOME ? 'copied' : 'os-user', dir, binaries.native, user);
  }
  if (uid <= 0 && succeeds('unshare', [...NAMESPACE, program(binaries.native, 'postgres'), '--version'])) {
    return runner('unshare', dir, binaries.native);
  }
  const somebody = user ?? (uid === 0 ? undefined : (createOsUser() ?? readOsUser('nobody')));
  if (!somebody) throw new Error(`${dir} belongs to root, and no user namespace can be made: give it to another user`);
  return copied(path, dir, exists, binaries, somebody);
}

function copied(path: string, dir: string, exists: boolean, binaries: EmbeddedBinaries, user: OsUser): EmbeddedRunner {
  mkdirSync(SYSTEM_HOME, { recursive: true, mode: 0o755 });
  let native = binaries.native;
  if (!canRun(user, native)) {
    native = join(SYSTEM_HOME, `native-${fingerprint(native + statSync(native).mtimeMs)}`);
    if (!existsSync(native)) {
      cpSync(binaries.native, `${native}.new`, { recursive: true, verbatimSymlinks: true });
      renameSync(`${native}.new`, native);
    }
  }
  if (exists || canEnter(user, dirname(dir))) return runner('copied', dir, native, user);
  const elsewhere = join(SYSTEM_HOME, `postgres-${fingerprint(dir)}`);
  rmSync(path, { force: true }); // a link whose target was removed
  symlinkSync(elsewhere, path); // whoever looks for the data at its configured place finds it
  return runner('copied', elsewhere, native, user);
}

function runner(how: EmbeddedHow, dir: string, native: string, owner?: OsUser): EmbeddedRunner {
  const command = (name: 'initdb' | 'postgres', args: readonly string[]) => {
    const file = program(native, name);
    return how === 'unshare' ? { file: 'unshare', args: [...NAMESPACE, file, ...args] } : { file, args: [...args] };
  };
  return { how, dir, owner, command };
}

const program = (native: string, name: string): string => join(native, 'bin', name);
const fingerprint = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
const canRun = (user: OsUser, native: string): boolean => succeeds(program(native, 'postgres'), ['--version'], user);
const canEnter = (user: OsUser, directory: string): boolean => succeeds('test', ['-x', directory], user);

function succeeds(file: string, args: string[], user?: OsUser): boolean {
  return spawnSync(file, args, { ...CHILD, ...user, stdio: 'ignore', timeout: 10_000 }).status === 0;
}

const findOsUser = (): OsUser | undefined => readOsUser('authplane') ?? readOsUser('postgres');

function createOsUser(): OsUser | undefined {
  const made = succeeds('useradd', [
    '--system',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
    'authplane',
  ]);
  return made ? readOsUser('authplane') : undefined;
}

function readOsUser(name: string): OsUser | undefined {
  if (!existsSync('/etc/passwd')) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
}
