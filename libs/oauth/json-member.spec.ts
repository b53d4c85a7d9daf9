import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonMember, withoutJsonMember } from './json-member.js';

function valueOf(text: string, name: string): string | undefined {
  const member = findJsonMember(text, name);
  return member && text.slice(member.valueStart, member.end);
}

describe('a member of a JSON object', () => {
  it.each([
    ['{"a":1}', '1'],
    ['{ "b" : "a" , "a" : 1.0 , "c":2 }', '1.0'],
    ['{"b":{"a":2},"a":[1, "]" ,{"a":3}]}', '[1, "]" ,{"a":3}]'],
    ['{"b":"\\"a\\":5","a":"x,\\"}"}', '"x,\\"}"'],
    ['{"\\u0061": {"z":"}"} }', '{"z":"}"}'],
    ['{"b":["a"],"a":null}', 'null'],
  ])('of %s is %s, byte for byte', (text, value) => {
    expect(valueOf(text, 'a')).toBe(value);
  });

  it.each(['{}', '{"b":1}', '{"b":{"a":1}}', '{"b":"a"}', '{"b":["a",{"a":1}]}'])('is not in %s', (text) => {
    expect(valueOf(text, 'a')).toBeUndefined();
  });

  it.each([
    ['{"a":1}', '{}'],
    ['{"a":1, "b":2.0}', '{"b":2.0}'],
    ['{ "b":2.0 , "a":1 }', '{ "b":2.0  }'],
    ['{"b":1,"a":{"x":[1]},"c":3}', '{"b":1,"c":3}'],
  ])('is taken out of %s', (text, left) => {
    const member = findJsonMember(text, 'a');
    expect(member && withoutJsonMember(text, member)).toBe(left);
  });

  it('is found and taken out of whatever JSON there is', () => {
    const indents = fc.constantFrom(undefined, 0, 2);
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), indents, (others, value, indent) => {
        const { ['a']: _, ['__proto__']: __, ...rest } = others;
        const text = JSON.stringify({ ...rest, a: value, ...rest }, null, indent);
        const member = findJsonMember(text, 'a');
        expect(JSON.parse(text.slice(member?.valueStart, member?.end))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(member && JSON.parse(withoutJsonMember(text, member))).toEqual(JSON.parse(JSON.stringify(rest)));
      }),
    );
  });
});
