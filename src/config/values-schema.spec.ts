import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderValuesSchema } from './values-schema.js';

const chart = join(import.meta.dirname, '../../helm/authplane');
const path = join(chart, 'values.schema.json');
const update = 'UPDATE_REFERENCE=1 npx vitest run src/config/values-schema.spec.ts';
const rendered = renderValuesSchema(readFileSync(join(chart, 'values.yaml'), 'utf8'));

if (process.env.UPDATE_REFERENCE === '1') writeFileSync(path, rendered);

describe("the schema of the chart's values", () => {
  it('is what the settings classes and values.yaml say', () => {
    expect(readFileSync(path, 'utf8'), `out of date: ${update}`).toBe(rendered);
  });

  it('knows every setting, its kind and its bounds', () => {
    const { config } = JSON.parse(rendered).properties;
    expect(config.properties.oauth.properties.code_ttl.type).toEqual(['string', 'integer', 'null']);
    expect(config.properties.storage.properties.postgres.properties.max_conns).toMatchObject({
      minimum: 2,
      maximum: 1000,
    });
    expect(config.properties.resources.items.properties.backend_kind.enum).toEqual(['mint', 'broker', '', null]);
    expect(config.properties.dcr.additionalProperties).toBe(false);
  });
});
