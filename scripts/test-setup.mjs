/**
 * Finds, or installs, the two programs the tests drive: a Redis server and Chromium.
 *
 * It installs only as root on a Debian-like system; elsewhere it prints the one line to type. The tests start their own
 * Redis on a free port, so the service that the system's package brings is neither started nor enabled.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const policy = '/usr/sbin/policy-rc.d';

const needed = [
  {
    found: () => isExecutable(process.env.TEST_REDIS_SERVER ?? '') || onPath('redis-server', 'valkey-server'),
    packageName: 'redis-server',
    brewName: 'redis',
  },
  {
    found: () =>
      isExecutable(process.env.CHROMIUM_PATH ?? '') ||
      onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'),
    packageName: 'chromium',
    brewName: 'chromium',
  },
];

const missing = needed.filter((program) => !program.found());
if (missing.length > 0) {
  const names = missing.map((program) => program.packageName);
  if (onPath('apt-get') && process.getuid?.() === 0) install(names);
  else explain();
  const still = missing.filter((program) => !program.found()).map((program) => program.packageName);
  if (still.length > 0) fail(`${still.join(' and ')} could not be installed.`);
}

function install(names) {
  console.error(`Installing ${names.join(' and ')} for the tests …`);
  const ownPolicy = !existsSync(policy);
  if (ownPolicy) {
    // invoke-rc.d and deb-systemd-invoke ask this file before they start a service; 101 means "no".
    writeFileSync(policy, '#!/bin/sh\nexit 101\n');
    chmodSync(policy, 0o755);
  }
  try {
    apt('update');
    apt('install', '-y', '--no-install-recommends', ...names);
  } finally {
    if (ownPolicy) rmSync(policy, { force: true });
  }
  if (names.includes('redis-server') && existsSync('/run/systemd/system')) {
    spawnSync('systemctl', ['--quiet', 'disable', 'redis-server'], { stdio: 'ignore' });
  }
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const result = spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=60', ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (result.status !== 0) process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
}

function explain() {
  const debian = `sudo apt-get update && sudo apt-get install -y ${missing.map((program) => program.packageName).join(' ')}`;
  const mac = `brew install ${missing.map((program) => program.brewName).join(' ')}`;
  fail(
    `The tests need ${missing.map((program) => program.packageName).join(' and ')}. ` +
      `Type: ${process.platform === 'darwin' ? mac : debian}`,
  );
}

function fail(text) {
  console.error(`${text}\nTEST_REDIS_SERVER may name a redis-server, CHROMIUM_PATH a Chromium or Chrome of your own.`);
  process.exit(1);
}

function onPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return names.some((name) => folders.some((folder) => isExecutable(join(folder, name))));
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return path !== '';
  } catch {
    return false;
  }
}
