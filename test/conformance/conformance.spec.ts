import { describe, expect, it } from 'vitest';
import { catalogue } from './catalogue.js';
import { report } from './report.js';
import { specFiles, testsOf, testsOfFile } from './titles.js';

const root = process.cwd();
const tests = specFiles(root).flatMap((file) => testsOfFile(root, file));
const named = new Set(tests.flatMap((test) => test.ids));
const known = new Set(catalogue.map((row) => row.id));

describe('the conformance catalogue', () => {
  it('has every id once', () => {
    expect(known.size).toBe(catalogue.length);
  });

  it('declines no MUST', () => {
    expect(catalogue.filter((row) => row.declined !== undefined && row.level === 'MUST')).toEqual([]);
  });

  it('has a test for every requirement that is due', () => {
    const due = catalogue.filter((row) => row.issue === undefined && row.declined === undefined);
    expect(due.filter((row) => !named.has(row.id)).map((row) => `${row.id} ${row.text}`)).toEqual([]);
  });

  it('knows every id that a test names', () => {
    const strangers = tests.flatMap((test) =>
      test.ids.filter((id) => !known.has(id)).map((id) => `${id} in ${test.file}`),
    );
    expect(strangers).toEqual([]);
  });

  it('has no test for what was declined, which would then be taken', () => {
    expect(catalogue.filter((row) => row.declined !== undefined && named.has(row.id)).map((row) => row.id)).toEqual([]);
  });

  it('is what docs/reference/conformance.md says', async () => {
    await expect(report(tests)).toMatchFileSnapshot('../../docs/reference/conformance.md');
  });
});

describe('reading titles', () => {
  it('finds ids on a test, on the block around it and on a table of tests', () => {
    const source = `
      describe('[A13] redirect URIs', () => {
        it('[B1 9207.1] are compared as strings', () => {});
        for (const port of [1, 2]) it(\`[A12] may have port \${port}\`, () => {});
        it.each([1, 2])('is one of %s', () => {});
      });
      test('has no id', () => {});`;
    expect(idsIn(source)).toEqual([
      ['are compared as strings', 'A13', 'B1', '9207.1'],
      ['may have port ${port}', 'A13', 'A12'],
      ['is one of %s', 'A13'],
      ['has no id'],
    ]);
  });

  it('counts no test that does not run', () => {
    expect(
      idsIn(`it.skip('[A1] x', () => {}); it.todo('[A2] y'); describe.skip('[A3] z', () => it('w', () => {}));`),
    ).toEqual([]);
  });

  it('refuses a tag that is no list of ids', () => {
    expect(() => idsIn(`it('[A13, B1] x', () => {})`)).toThrow('"A13," in the title');
  });
});

function idsIn(source: string): string[][] {
  return testsOf('x.spec.ts', source).map((test) => [test.title, ...test.ids]);
}
