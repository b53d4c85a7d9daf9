import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OAuthError } from './errors.js';
import { parseForm, required } from './parameters.js';

function refusal(work: () => unknown): { symptom: string; description: string } {
  try {
    work();
  } catch (error) {
    if (error instanceof OAuthError) return { symptom: error.symptom, description: error.description };
    throw error;
  }
  throw new Error('nothing was refused');
}

const symptomOf = (text: string): string => refusal(() => parseForm(text)).symptom;

/** Text without control characters, as a parameter may hold it; `unit: 'grapheme'` never makes lone surrogates. */
const value = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((text) => !/\p{Cc}/u.test(text));
const name = fc.stringMatching(/^[a-z_]{1,20}$/);

describe('parseForm', () => {
  it('reads back what URLSearchParams wrote', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 60 }), (pairs) => {
        expect([...parseForm(new URLSearchParams(pairs).toString())]).toEqual(pairs);
      }),
    );
  });

  it('reads the same value however it is percent-encoded', () => {
    fc.assert(
      fc.property(value, (text) => {
        const everyByte = [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
        expect(parseForm(`a=${everyByte}`).get('a')).toBe(text);
        expect(parseForm(`a=${everyByte.toUpperCase()}`).get('a')).toBe(text);
      }),
    );
  });

  it('refuses a parameter that occurs twice, wherever, and whatever its values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value), { maxLength: 20 }),
        name,
        value,
        fc.nat(),
        (pairs, twice, first, at) => {
          const repeated: [string, string][] = [...new Map([...pairs, [twice, first]] as const)];
          repeated.splice(at % (repeated.length + 1), 0, [twice, '']);
          const expected = twice === 'resource' ? 'resource-repeated' : 'parameter-repeated';
          expect(symptomOf(new URLSearchParams(repeated).toString())).toBe(expected);
        },
      ),
    );
  });

  it.each(['scope=&scope=', 'scope&scope', 'scope=a&sc%6Fpe=b', '=&='])('counts a repetition in %s', (text) => {
    expect(symptomOf(text)).toBe('parameter-repeated');
  });

  it('answers a repeated resource with its own error, since a token has one resource', () => {
    expect(symptomOf('resource=https://a.example&resource=https://b.example')).toBe('resource-repeated');
  });

  it('takes an empty value for an absent one', () => {
    expect([...parseForm('a=&b&c=1&&')]).toEqual([['c', '1']]);
    expect(parseForm('').size).toBe(0);
  });

  it('keeps what it does not know, and an equals sign in a value', () => {
    expect(parseForm('unknown=a=b%3D').get('unknown')).toBe('a=b=');
  });

  it('reads plus as a space and %2B as plus', () => {
    expect(parseForm('scope=a+b%2Bc').get('scope')).toBe('a b+c');
  });

  it('keeps names of Object.prototype as ordinary names', () => {
    expect(parseForm('__proto__=1&constructor=2').get('__proto__')).toBe('1');
    expect(parseForm('a=1').get('constructor')).toBeUndefined();
  });

  it.each([
    ['a lone percent sign', 'a=100%'],
    ['a broken escape', 'a=%zz'],
    ['a cut escape', 'a=%4'],
    ['bytes that are not UTF-8', 'a=%ff'],
    ['an overlong slash', 'a=%c0%af'],
    ['an encoded surrogate', 'a=%ed%a0%80'],
    ['a lone surrogate', 'a=\ud800'],
    ['NUL', 'a=b%00'],
    ['a newline', 'a=b%0Ac'],
    ['a raw tab', 'a=\t'],
    ['DEL', 'a=%7f'],
    ['NUL in a name', 'a%00=b'],
    ['a broken escape in a name', '%=b'],
  ])('refuses %s', (_, text) => {
    expect(symptomOf(text)).toBe('parameter-malformed');
  });

  it('refuses control characters anywhere', () => {
    fc.assert(
      fc.property(value, value, fc.integer({ min: 0, max: 0x1f }), (before, after, code) => {
        const text = encodeURIComponent(before + String.fromCharCode(code) + after);
        expect(symptomOf(`a=${text}`)).toBe('parameter-malformed');
      }),
    );
  });

  it.each([
    ['state', 4096],
    ['code', 16_384],
    ['client_assertion', 16_384],
    ['request', 16_384],
  ])('takes %s up to %i bytes', (parameter, bytes) => {
    expect(parseForm(`${parameter}=${'a'.repeat(bytes)}`).get(parameter)).toHaveLength(bytes);
    expect(symptomOf(`${parameter}=${'a'.repeat(bytes + 1)}`)).toBe('parameter-malformed');
  });

  it('counts bytes, not characters', () => {
    expect(symptomOf(`state=${'é'.repeat(2049)}`)).toBe('parameter-malformed');
  });

  it('takes 64 parameters and no more, empty ones included', () => {
    const parameters = Array.from({ length: 64 }, (_, index) => `p${index}=`);
    expect(parseForm(parameters.join('&')).size).toBe(0);
    expect(symptomOf([...parameters, 'x=1'].join('&'))).toBe('parameter-malformed');
  });

  it('names the parameter, but never repeats text of a stranger', () => {
    expect(refusal(() => parseForm('scope=1&scope=2')).description).toBe('scope must not be sent more than once');
    expect(refusal(() => parseForm('state=%00')).description).toBe('state is malformed');
    expect(refusal(() => parseForm('<b>=1&<b>=2')).description).toBe('a parameter must not be sent more than once');
    const long = 'x'.repeat(65);
    expect(refusal(() => parseForm(`${long}=%00`)).description).toBe('a parameter is malformed');
  });
});

describe('required', () => {
  it('gives the value, or says which parameter is missing', () => {
    const form = parseForm('code=abc&state=');
    expect(required(form, 'code')).toBe('abc');
    expect(refusal(() => required(form, 'state'))).toEqual({
      symptom: 'parameter-missing',
      description: 'state is required',
    });
  });
});
