import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const update = 'UPDATE_REFERENCE=1 npx vitest run test/deploy';

/** Helm reads no file outside the folder of a chart: what the chart ships of others' is a copy. */
const copies = [
  { of: 'deploy/prometheus', as: 'helm/authplane/files', files: /^alerts\.yaml$/ },
  { of: 'deploy/grafana', as: 'helm/authplane/files/dashboards', files: /\.json$/ },
];

const filesIn = (folder: string, files: RegExp): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(root, folder))
      .filter((name) => files.test(name))
      .map((name) => [name, readFileSync(join(root, folder, name), 'utf8')]),
  );

describe("the chart's copies", () => {
  it.each(copies)('of $of are what they were made from', ({ of, as, files }) => {
    if (process.env.UPDATE_REFERENCE === '1') {
      for (const stale of Object.keys(filesIn(as, files))) rmSync(join(root, as, stale));
      for (const name of Object.keys(filesIn(of, files))) cpSync(join(root, of, name), join(root, as, name));
    }
    const originals = filesIn(of, files);
    expect(Object.keys(originals).length).toBeGreaterThan(0);
    expect(filesIn(as, files), `out of date: ${update}`).toEqual(originals);
  });

  it('carry the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const chart = readFileSync(join(root, 'helm/authplane/Chart.yaml'), 'utf8');
    expect(chart).toContain(`\nappVersion: ${version}\n`);
    expect(readFileSync(join(root, 'Dockerfile'), 'utf8')).toContain(`ARG VERSION=${version}\n`);
  });
});
