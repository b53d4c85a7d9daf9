// Runs the whole suite and writes to the file that is named how many tests passed, failed and were skipped.
//
// The tests run real servers, databases and browsers on a machine that may do something else besides. So a file in which something failed
// is run again, alone, twice. If it passes both times that counts, and the file is named as unsteady: a defect of a test, or a race in the
// code. More than a few such files are no accident; they stay failed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const MOST_UNSTEADY_FILES = 3;
// A test that hangs must not hide what failed before it. A busy machine takes twice as long as a quiet one, and more.
const [ALL_SECONDS, ALONE_SECONDS] = [3000, 300];

const reports = mkdtempSync(join(tmpdir(), 'authplane-ci-'));
const all = run(['npm', 'test', '--'], ALL_SECONDS);
const failed = all.files.filter(isFailed);
const judged =
  failed.length > MOST_UNSTEADY_FILES ? all.files : all.files.map((file) => (isFailed(file) ? alone(file) : file));
rmSync(reports, { recursive: true });

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const file of judged) {
  for (const { status } of file.assertionResults)
    counts[status === 'passed' || status === 'failed' ? status : 'skipped'] += 1;
  // A file that could not be read, or whose set-up failed, has no failed test of its own.
  if (isFailed(file) && !file.assertionResults.some(isFailed)) counts.failed += 1;
}
// What no file that passes later makes good: an unhandled error, no report, or the time limit.
if (all.unhandled || all.status > 1 || (all.status !== 0 && failed.length === 0)) counts.failed += 1;
writeFileSync(process.argv[2], `${counts.passed} ${counts.failed} ${counts.skipped}\n`);

function isFailed({ status }) {
  return status === 'failed';
}

/** @returns what was reported of it the second time when it passed twice; else what was reported of it first */
function alone(file) {
  const name = relative('.', file.name);
  let again = file;
  for (const turn of ['first', 'second']) {
    console.log(`== alone, for the ${turn} time: ${name}`);
    const { status, files } = run(['node_modules/.bin/vitest', 'run', name], ALONE_SECONDS);
    if (status !== 0 || files.length !== 1) return file;
    [again] = files;
  }
  for (const { fullName } of file.assertionResults.filter(isFailed)) console.log(`== UNSTEADY: ${name} > ${fullName}`);
  if (!file.assertionResults.some(isFailed)) console.log(`== UNSTEADY: ${name}: ${file.message}`);
  return again;
}

/** @returns vitest's exit code, or that of `timeout`; what it reported of each file; whether there were errors outside the tests */
function run(command, seconds) {
  const [report, errors] = [join(reports, 'report.json'), join(reports, 'errors')];
  const reporters = ['default', 'json', './.ci/unhandled-errors.mjs'].map((name) => `--reporter=${name}`);
  const limit = ['--signal=INT', '--kill-after=30', String(seconds)];
  const { status } = spawnSync('timeout', [...limit, ...command, ...reporters, `--outputFile.json=${report}`], {
    stdio: 'inherit',
    env: { ...process.env, UNHANDLED_ERRORS: errors },
  });
  try {
    const unhandled = readFileSync(errors, 'utf8') !== '0';
    return { status, files: JSON.parse(readFileSync(report, 'utf8')).testResults, unhandled };
  } catch {
    return { status, files: [], unhandled: false };
  } finally {
    for (const file of [report, errors]) rmSync(file, { force: true });
  }
}
