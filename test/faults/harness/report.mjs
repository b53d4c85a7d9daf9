/** What a run found, for a terminal, and as JSON and Markdown in `coverage/faults`, which git ignores. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../../coverage/faults');
const HEAD = [
  'fault',
  's of fault',
  'requests',
  '503',
  'lost',
  'not cured by 1 retry',
  's without success',
  's without a token',
  's without one with proof',
  'facts held',
  'replays tried',
  'bound/confidential killed',
  'public ended',
  'violations',
];

export const sum = (object) => Object.values(object).reduce((all, one) => all + one, 0);
const failing = (failures, test) =>
  sum(Object.fromEntries(Object.entries(failures).filter(([key]) => / 5\d\d (?!Bad)/.test(key) === test)));

function row(result) {
  const {
    fault,
    secondsOfFault,
    requests,
    failures,
    counts,
    families,
    violations,
    longestWithoutSuccess,
    longestWithoutSuccessByKind,
  } = result;
  const held = ['tokens held against the servers', 'revocations', 'rotations', 'codes redeemed'];
  return [
    fault,
    secondsOfFault,
    requests,
    failing(failures, true),
    failing(failures, false),
    counts.uncured ?? 0,
    longestWithoutSuccess,
    longestWithoutSuccessByKind.machine,
    longestWithoutSuccessByKind['machine with proof'],
    held.reduce((all, key) => all + (counts[key] ?? 0), 0),
    counts['replays tried'] ?? 0,
    families.boundOrConfidentialKilled,
    families.unboundPublicEnded,
    violations.reduce((all, { times }) => all + times, 0),
  ].map(String);
}

export function tell(result) {
  const { fault, violations, failures, counts } = result;
  console.log(`\n${fault}`);
  HEAD.slice(1).forEach((name, at) => console.log(`  ${name.padEnd(28)}${row(result)[at + 1]}`));
  if (result.noted) console.log(`  ${'noted'.padEnd(28)}${JSON.stringify(result.noted)}`);
  console.log(`  ${'failures'.padEnd(28)}${JSON.stringify(failures)}`);
  console.log(`  ${'counted'.padEnd(28)}${JSON.stringify(counts)}`);
  tellViolations(violations);
}

export function tellSoak({ minutes, requests, failures, counts, verdicts, violations }) {
  console.log(`\n${minutes} minutes, ${requests} requests; failures ${JSON.stringify(failures)}`);
  console.log(JSON.stringify(counts));
  for (const { what, of, text, leaks } of verdicts)
    console.log(`  ${what.padEnd(22)}${of.padEnd(14)}${text}  ${leaks ? 'LEAKS' : 'flat'}`);
  tellViolations(violations);
}

export function writeSoak(result) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'soak.json'), JSON.stringify(result, undefined, 2));
}

function tellViolations(violations) {
  for (const { rule, times, examples } of violations) {
    console.log(`  VIOLATION ${times} × ${rule}`);
    for (const example of examples) console.log(`    ${example}`);
  }
}

export function write(results, name) {
  mkdirSync(folder, { recursive: true });
  const conditions = `Node ${process.versions.node}, ${cpus().length} processors, ${new Date().toISOString()}`;
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ conditions, results }, undefined, 2));
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const table = [line(HEAD), line(HEAD.map(() => '---')), ...results.map((result) => line(row(result)))];
  writeFileSync(join(folder, `${name}.md`), `${conditions}\n\n${table.join('\n')}\n`);
  console.log(`\n${table.join('\n')}\n\nMore in ${folder}/${name}.json`);
}
