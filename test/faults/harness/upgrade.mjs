/** From an earlier build to this one under load: the schema first, then one replica after another; and one of them back again. */
import { execFile, execSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const here = join(import.meta.dirname, '../../..');
/** For so long the earlier build serves on the new schema. */
const OLD_ON_NEW_MILLIS = 15_000;
const BETWEEN_MILLIS = 4_000;

export const upgradeFrom = (tag) => {
  const build = buildOf(tag);
  return {
    world: { build },
    curable: true,
    async strike({ replicas, env }) {
      const [first] = replicas;
      // The load goes on meanwhile, and so does the provider that it asks, which lives in this process.
      await promisify(execFile)(process.execPath, [join(here, 'dist/src/main.js'), 'migrate'], {
        env: { PATH: process.env.PATH, ...env, ...first.addresses },
      });
      await sleep(OLD_ON_NEW_MILLIS);
      for (const replica of replicas) await replace(replica, here);
      await replace(first, build); // somebody finds a fault and goes back
      await sleep(BETWEEN_MILLIS);
      await replace(first, here);
    },
  };
};

async function replace(replica, build) {
  await replica.end('SIGTERM');
  replica.build = build;
  await replica.start();
  await sleep(BETWEEN_MILLIS);
}

/** @returns the directory of the tag's build, made once */
function buildOf(tag) {
  const path = join(here, 'coverage/faults/builds', tag);
  if (existsSync(join(path, 'dist/src/main.js'))) return path;
  mkdirSync(path, { recursive: true });
  execSync(`git archive ${tag} | tar -x -C ${path}`, { cwd: here });
  const lock = (at) => readFileSync(join(at, 'package-lock.json'), 'utf8');
  if (lock(path) === lock(here)) symlinkSync(join(here, 'node_modules'), join(path, 'node_modules'));
  else execSync('npm ci --no-audit --no-fund --loglevel=error', { cwd: path, stdio: 'inherit' });
  execSync('npm run --silent build', { cwd: path, stdio: 'inherit' });
  return path;
}
