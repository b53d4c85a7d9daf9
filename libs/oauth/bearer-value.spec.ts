import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64Url } from './base64url.js';
import { newBearerValue, readBearerValue, sameBytes, sha256, type BearerKind } from './bearer-value.js';

const id = '01938f2a-7c4e-7b3d-9f10-2a6b5c4d3e2f';
const kinds: BearerKind[] = ['ac', 'se', 'cs', 'rg', 'ak'];

describe('bearer values', () => {
  it('give back their id and the hash that was stored', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.constantFrom(...kinds), (uuid, kind) => {
        const { value, hash } = newBearerValue(kind, uuid);
        expect(readBearerValue(kind, value)).toEqual({ id: uuid, hash });
        expect(hash).toEqual(sha256(value));
        expect(value).toMatch(/^ap_[a-z]{2}_[A-Za-z0-9_-]{64}$/);
      }),
    );
  });

  it('differ each time for the same id', () => {
    expect(newBearerValue('ac', id).value).not.toBe(newBearerValue('ac', id).value);
  });

  it('are of one kind: a session does not pass as a code', () => {
    const { value } = newBearerValue('se', id);
    expect(readBearerValue('ac', value)).toBeUndefined();
  });

  it('keep the id and change the hash when the secret part is changed', () => {
    const { value, hash } = newBearerValue('ac', id);
    const forged = value.slice(0, -1) + (value.endsWith('A') ? 'B' : 'A');
    const read = readBearerValue('ac', forged);
    expect(read?.id).toBe(id);
    expect(read && sameBytes(read.hash, hash)).toBe(false);
  });

  it('are read in one spelling only', () => {
    const { value } = newBearerValue('ac', id);
    const body = value.slice('ap_ac_'.length);
    const spellings = [
      '',
      `${value}=`,
      ` ${value}`.slice(0, value.length),
      `${value.slice(0, -1)}\n`,
      `${value.slice(0, -1)}+`,
      `${value.slice(0, -2)}==`,
      value.toUpperCase(),
      `ap_ac.${body}`,
    ];
    for (const spelling of spellings) expect(readBearerValue('ac', spelling)).toBeUndefined();
  });

  it('need a UUID', () => {
    expect(() => newBearerValue('ac', 'not-a-uuid')).toThrow(TypeError);
    expect(() => newBearerValue('ac', `${id}\n`)).toThrow(TypeError);
  });
});

describe('fromBase64Url', () => {
  it('reads what Buffer writes, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromBase64Url(Buffer.from(bytes).toString('base64url'))).toEqual(Buffer.from(bytes));
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = fromBase64Url(text);
        expect(bytes === undefined || bytes.toString('base64url') === text).toBe(true);
      }),
    );
  });

  it.each(['AB', 'AA==', 'A', '+/AA', 'A A', 'AA\n'])('refuses %j, which Buffer would take', (text) => {
    expect(fromBase64Url(text)).toBeUndefined();
  });
});

describe('sameBytes', () => {
  it('is false for other bytes and for another length, and throws for neither', () => {
    expect(sameBytes(Buffer.from('abc'), Buffer.from('abc'))).toBe(true);
    expect(sameBytes(Buffer.from('abc'), Buffer.from('abd'))).toBe(false);
    expect(sameBytes(Buffer.from('abc'), Buffer.from('abcd'))).toBe(false);
  });
});
