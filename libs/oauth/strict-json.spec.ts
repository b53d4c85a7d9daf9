import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OAuthError } from './errors.js';
import { parseJson } from './strict-json.js';

function refusal(text: string): string {
  try {
    parseJson(text);
  } catch (error) {
    if (error instanceof OAuthError) return `${error.symptom}: ${error.description}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const duplicate = /^parameter-repeated: /;

describe('parseJson', () => {
  it('reads what JSON.parse reads, with any white space', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom('', ' ', '\t', '\n'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        fc.pre(!text.includes('__proto__'));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses a member that occurs twice at any depth, in any spelling', () => {
    const member = fc.string({ maxLength: 8 }).filter((name) => name !== '__proto__');
    const spelling = fc.constantFrom(JSON.stringify, (name: string) => {
      const units = name.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
      return `"${units.join('')}"`;
    });
    const around = fc.array(fc.constantFrom('object', 'array'), { maxLength: 20 });
    fc.assert(
      fc.property(member, spelling, spelling, around, fc.jsonValue(), (name, first, second, layers, value) => {
        const between = JSON.stringify(JSON.stringify(value));
        let text = `{${first(name)}: ${between}, "\\u0000 another": [], ${second(name)}: 1}`;
        for (const layer of layers) text = layer === 'object' ? `{"x": {}, "y": ${text}}` : `[[], ${text}]`;
        expect(refusal(text)).toMatch(duplicate);
      }),
    );
  });

  it.each([
    ['the second of two algs, as JSON.parse reads it', '{"alg":"ES256","alg":"none"}'],
    ['an escaped spelling', '{"a":1,"\\u0061":2}'],
    ['after a nested object', '{"a":{"b":1},"a":2}'],
    ['after an array', '{"a":[{"b":1},2],"a":2}'],
    ['inside an array', '[1,{"a":1,"a":2}]'],
    ['names that end in a backslash', '{"a\\\\":1,"a\\\\":2}'],
  ])('refuses %s', (_, text) => {
    expect(refusal(text)).toMatch(duplicate);
  });

  it.each([
    ['the same name in different objects', '{"a":{"a":1},"b":[{"a":1},{"a":1}]}'],
    ['values that look like names', '{"a":"b","b":"a","c":["a","a","b"]}'],
    ['strings that look like JSON', '{"a":"{\\"a\\":1,\\"a\\":2}","b":"[[["}'],
  ])('keeps %s', (_, text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  it('names the member only when that is safe', () => {
    expect(refusal('{"redirect_uris":1,"redirect_uris":2}')).toContain('redirect_uris must not be sent more than once');
    expect(refusal('{"<b>":1,"<b>":2}')).toContain('a JSON member must not be sent more than once');
  });

  it.each(['', '{', '{"a":1,}', "{'a':1}", 'undefined', '\ufeff{}', '"\u0000"', '{"secret": tru'])(
    'refuses %j as no JSON, without quoting it',
    (text) => {
      expect(refusal(text)).toBe('body-unreadable: the body must be valid JSON');
    },
  );

  it('takes 32 levels and no more', () => {
    expect(parseJson(nested(32))).toEqual(JSON.parse(nested(32)));
    expect(refusal(nested(33))).toBe('body-unreadable: the body must be JSON nested at most 32 deep');
    expect(refusal(nested(30_000))).toContain('at most 32 deep');
    expect(parseJson(`[${'[],'.repeat(50)}{}]`)).toHaveLength(51);
  });

  it.each(['{"__proto__":{"admin":true}}', '[{"\\u005f_proto__":1}]'])('refuses the prototype in %s', (text) => {
    expect(refusal(text)).toBe('body-unreadable: the body must be JSON without a member __proto__');
  });
});
