import { catalogue, type Requirement } from './catalogue.js';
import type { TitledTest } from './titles.js';

/** docs/reference/conformance.md: each requirement with the tests that cover it. */
export function report(tests: readonly TitledTest[]): string {
  const covered = catalogue.filter((row) => row.issue === undefined && row.declined === undefined);
  const declined = catalogue.filter((row) => row.declined !== undefined);
  const later = catalogue.filter((row) => row.issue !== undefined);
  return [
    '# Conformance',
    '',
    'Generated from test/conformance/catalogue.ts and the titles of the tests by `npx vitest run test/conformance -u`.',
    '',
    '| Id | Level | Requirement | Source | Tests |',
    '|---|---|---|---|---|',
    ...covered.map((row) => line(row, testsOf(row, tests))),
    '',
    '## Options not taken',
    '',
    '| Id | Level | Requirement | Source | Why not |',
    '|---|---|---|---|---|',
    ...declined.map((row) => line(row, row.declined ?? '')),
    '',
    '## Not built yet',
    '',
    '| Id | Level | Requirement | Source |',
    '|---|---|---|---|',
    ...later.map((row) => line(row)),
    '',
  ].join('\n');
}

function line(row: Requirement, ...more: string[]): string {
  return `| ${[row.id, row.level, row.text, row.source, ...more].map(cell).join(' | ')} |`;
}

function testsOf(row: Requirement, tests: readonly TitledTest[]): string {
  const mine = tests.filter((test) => test.ids.includes(row.id));
  return mine.map((test) => `${test.title} (${test.file})`).join('<br>');
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
