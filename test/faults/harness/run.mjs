/**
 * Three replicas under load, and what goes wrong in production:
 *
 *   node test/faults/harness/run.mjs                              every fault, about twenty minutes
 *   node test/faults/harness/run.mjs --only disk-full,redis-frozen
 *   node test/faults/harness/run.mjs --upgrade v0.1.0             from the build of that tag to this one, and back
 *   node test/faults/harness/run.mjs --soak 30                    minutes of load, and what the processes hold meanwhile
 *   node test/faults/harness/run.mjs --list
 *
 * That it would notice: `--build <directory>` takes servers that were built elsewhere, such as with a check taken out, and
 * `--postgres synchronous_commit=off` changes what the database promises.
 *
 * `--before` and `--after` are the seconds of load around each fault. It needs nginx and redis-server in the path, and root for
 * `disk-full` alone, which mounts a small file system. Exit code 1: something that was acknowledged is gone, something that works once
 * has worked twice, or a failure was not told as it should be.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { faults } from './faults.mjs';
import { tell, tellSoak, write, writeSoak } from './report.mjs';
import { soak } from './soak.mjs';
import { trial } from './trial.mjs';
import { upgradeFrom } from './upgrade.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    upgrade: { type: 'string' },
    soak: { type: 'string' },
    build: { type: 'string' },
    postgres: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    before: { type: 'string', default: '20' },
    after: { type: 'string', default: '25' },
  },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

if (values.list) {
  for (const [name, { about }] of Object.entries(faults)) console.log(`${name.padEnd(28)}${about}`);
  process.exit(0);
}
const common = {
  ...(values.build && { build: resolve(values.build) }),
  settings: Object.fromEntries(values.postgres.map((setting) => setting.split('='))),
};
if (values.soak) await runSoak(Number(values.soak));
else await runTrials(values.upgrade ? { 'rolling-upgrade': upgradeFrom(values.upgrade) } : chosenFaults());

function chosenFaults() {
  const chosen = values.only?.split(',') ?? Object.keys(faults);
  const unknown = chosen.filter((name) => !(name in faults));
  if (unknown.length > 0) throw new Error(`no such fault: ${unknown.join(', ')}; --list tells which there are`);
  return Object.fromEntries(chosen.map((name) => [name, faults[name]]));
}

async function runTrials(trials) {
  const results = [];
  for (const [name, fault] of Object.entries(trials)) {
    const needs = { ...common, ...fault.world };
    const around = { before: Number(values.before), after: Number(values.after) };
    try {
      const result = await trial(name, { ...fault, world: needs }, around);
      results.push(result);
      tell(result);
      if (result.violations.length > 0) process.exitCode = 1;
    } catch (error) {
      console.log(`\n${name} could not be tried: ${error.stack}`);
      process.exitCode = 1;
    }
  }
  write(results, values.upgrade ? 'upgrade' : 'faults');
}

async function runSoak(minutes) {
  const result = await soak(minutes, common);
  tellSoak(result);
  writeSoak(result);
  if (result.violations.length > 0) process.exitCode = 1;
}
