/**
 * Lints, templates and judges the chart, and reads docker-compose.yml and the Dockerfile (deploy/check). It needs Go, and no cluster, no
 * Docker. Without helm on the PATH it builds the version that deploy/check/go.mod pins, once, into a folder that git ignores.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const check = join(root, 'deploy/check');

if (spawnSync('go', ['version']).error) {
  console.error('The chart is checked by programs in Go: install it from https://go.dev/dl');
  process.exit(1);
}
const rendered = mkdtempSync(join(tmpdir(), 'authplane-chart-'));
try {
  run(built('check', '.'), ['-root', root, '-helm', helm(), '-rendered', rendered]);
  run(process.execPath, [join(check, 'configurations.mjs'), rendered]);
} catch (error) {
  if (error.status === undefined) console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(rendered, { recursive: true });
}

function helm() {
  const { stdout, error } = spawnSync('helm', ['version', '--template', '{{.Version}}'], { encoding: 'utf8' });
  return !error && stdout.startsWith('v3.') ? 'helm' : built('helm', 'helm.sh/helm/v3/cmd/helm');
}

/** The program, in a folder named after everything that goes into it. */
function built(name, of) {
  const inputs = ['go.mod', 'go.sum', ...(of === '.' ? readdirSync(check).filter((file) => file.endsWith('.go')) : [])];
  const hash = createHash('sha256');
  for (const input of inputs) hash.update(readFileSync(join(check, input)));
  const folder = join(check, '.bin', hash.digest('hex').slice(0, 16));
  const program = join(folder, name);
  if (existsSync(program)) return program;
  console.error(`Building ${name} …`);
  mkdirSync(folder, { recursive: true });
  execFileSync('go', ['build', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', program, of], {
    cwd: check,
    stdio: 'inherit',
  });
  return program;
}

function run(program, args) {
  execFileSync(program, args, { stdio: 'inherit' });
}
