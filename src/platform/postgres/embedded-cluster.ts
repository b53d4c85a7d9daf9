import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { EmbeddedBinaries } from './embedded-binaries.js';
import { CHILD, type EmbeddedRunner } from './embedded-runner.js';
import { isAlive } from './postmaster.js';

/**
 * Makes the data directory unless it is there. It is made beside its place and renamed, so that there is never half a cluster.
 *
 * @throws Error with the commands to type when another major version of PostgreSQL wrote the data
 */
export function initCluster(runner: EmbeddedRunner, binaries: EmbeddedBinaries, log: (message: string) => void): void {
  const versionFile = join(runner.dir, 'PG_VERSION');
  if (existsSync(versionFile))
    return refuseOtherMajor(runner.dir, readFileSync(versionFile, 'utf8').trim(), binaries.major);
  removeLeftovers(runner.dir);
  const draft = `${runner.dir}.new-${process.pid}`;
  log(`making the embedded PostgreSQL's data directory ${runner.dir}`);
  mkdirSync(draft, { mode: 0o700 });
  if (runner.owner) chownSync(draft, runner.owner.uid, runner.owner.gid);
  const locale = ['-E', 'UTF8', '--locale-provider=builtin', '--locale=C.UTF-8'];
  const { file, args } = runner.command('initdb', ['-D', draft, '-U', 'authplane', '--auth=trust', ...locale]);
  const made = spawnSync(file, args, { ...CHILD, ...runner.owner, encoding: 'utf8' });
  if (made.status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    throw new Error(`initdb failed for ${runner.dir}: ${made.error?.message ?? made.stderr}`, { cause: made.error });
  }
  try {
    renameSync(draft, runner.dir);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(versionFile)) throw error; // else another process was quicker: its cluster is as good
  }
}

/** Drafts of processes that died in the middle. */
function removeLeftovers(dir: string): void {
  const prefix = `${basename(dir)}.new-`;
  for (const name of readdirSync(dirname(dir))) {
    const abandoned = name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length)));
    if (abandoned) rmSync(join(dirname(dir), name), { recursive: true, force: true });
  }
}

function refuseOtherMajor(dir: string, found: string, major: string): void {
  if (found === major) return;
  throw new Error(
    [
      `${dir} was written by PostgreSQL ${found}; this version of the server brings PostgreSQL ${major}. To move the data:`,
      `  1. start the version of the server that wrote it, and in another terminal:`,
      `       pg_dump -h ${dir} -U authplane -Fc -f authplane.dump authplane`,
      `  2. stop it, and set the old data aside:`,
      `       mv ${dir} ${dir}-${found}`,
      `  3. run this version's "authserver serve" once and leave it running, and in another terminal:`,
      `       pg_restore -h ${dir} -U authplane -d authplane --clean --if-exists authplane.dump`,
      `  4. restart it`,
    ].join('\n'),
  );
}
