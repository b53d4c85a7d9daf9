/**
 * Makes a clone ready to run: installs what package-lock.json names and builds, each only when its inputs changed.
 *
 * Runs before node_modules exists, so it may use Node's own modules only, and only those of the oldest Node we support.
 * `--no-build` stops after the installation.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const oldestNode = [20, 19];
const root = join(import.meta.dirname ?? '.', '..');

requireNode();
process.chdir(root);
once('node_modules/.ready', ['package.json', 'package-lock.json'], 'Installing the dependencies (about a minute)', () =>
  npm('ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'),
);
if (!process.argv.includes('--no-build')) {
  const inputs = ['src', 'libs', 'examples', 'package.json', 'package-lock.json', 'tsconfig.json', 'nest-cli.json'];
  once('dist/.ready', inputs, 'Building', () => npm('run', '--silent', 'build'));
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  console.error(
    `AuthPlane needs Node.js ${oldestNode.join('.')} or newer, and this is ${process.versions.node}. ` +
      'Install a newer one from https://nodejs.org and run the command again.',
  );
  process.exit(1);
}

/** Runs `act` unless `stamp` says that it has succeeded for exactly these inputs, on this Node and platform. */
function once(stamp, inputs, label, act) {
  const now = fingerprint(inputs);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return;
  rmSync(stamp, { force: true });
  console.error(`${label} …`);
  act();
  writeFileSync(stamp, now);
}

function fingerprint(paths) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}-${process.versions.modules}`);
  for (const file of paths.flatMap(filesOf).toSorted()) hash.update(`\0${file}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

function filesOf(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true })
    .map((name) => join(path, name))
    .filter((name) => statSync(name).isFile());
}

/** The npm that started this script, or the one on the PATH. What it prints goes to stderr: stdout is the command's own. */
function npm(...args) {
  const started = process.env.npm_execpath;
  const [command, ...before] = started ? [process.execPath, started] : ['npm'];
  const result = spawnSync(command, [...before, ...args], { stdio: ['ignore', 2, 2], shell: false });
  if (result.error) {
    console.error(`npm could not be started: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}
