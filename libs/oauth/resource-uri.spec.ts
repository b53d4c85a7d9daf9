import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNearMiss, isResourceUri, normalResource } from './resource-uri.js';

const mcp = 'https://api.example.com/mcp';

describe('isResourceUri', () => {
  it.each([
    mcp,
    'https://api.example.com',
    'http://[::1]:8080/mcp?tenant=a',
    'HTTPS://API.example.com/%C3%A9',
    'urn:example:api',
    'api://tools',
  ])('takes %s', (uri) => {
    expect(isResourceUri(uri)).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['a slug', 'calendar'],
    ['a path', '/mcp'],
    ['no scheme', '//api.example.com/mcp'],
    ['a fragment', `${mcp}#tools`],
    ['an empty fragment', `${mcp}#`],
    ['userinfo', 'https://user@api.example.com/mcp'],
    ['a host that is userinfo', 'https://api.example.com@evil.example/mcp'],
    ['no host', 'https:///mcp'],
    ['no host behind a scheme of its own', 'api:///tools'],
    ['no slashes', 'https:api.example.com'],
    ['a host that does not parse', 'https://[::g]/mcp'],
    ['a port that does not parse', 'https://api.example.com:99999/mcp'],
    ['a space', 'https://api.example.com/m cp'],
    ['a tab', 'https://api.example.com/\tmcp'],
    ['a newline at the end', `${mcp}\n`],
    ['a backslash', 'https:\\\\api.example.com\\mcp'],
    ['other than ASCII', 'https://exämple.com/mcp'],
    ['a broken escape', 'https://api.example.com/%zz'],
    ['over 2048 characters', `${mcp}/${'a'.repeat(2048)}`],
  ])('refuses %s', (_, uri) => {
    expect(isResourceUri(uri)).toBe(false);
    expect(normalResource(uri)).toBeUndefined();
  });
});

describe('normalResource', () => {
  it('knows one equivalence: an authority with and without a slash', () => {
    expect(normalResource('https://api.example.com/')).toBe('https://api.example.com');
    expect(normalResource('https://api.example.com')).toBe('https://api.example.com');
  });

  it.each([
    mcp,
    `${mcp}/`,
    'https://API.example.com',
    'https://api.example.com:443',
    'https://api.example.com/?a',
    'https://api.example.com?a=/',
    'https://api.example.com//',
    'urn:a:b/',
  ])('leaves %s alone', (uri) => {
    expect(normalResource(uri)).toBe(uri);
  });

  it('is stable: the normal form of a normal form is itself', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), (uri) => {
        const normal = normalResource(uri);
        fc.pre(normal !== undefined);
        expect(normalResource(normal)).toBe(normal);
      }),
    );
  });
});

describe('isNearMiss', () => {
  it.each([
    'https://api.example.com/mcp/',
    'HTTPS://API.example.com/MCP',
    'https://api.example.com:443/mcp',
    'https://api.example.com/m%63p',
    'https://api.example.com/mc',
    'https://api.example.com/mcpp',
    'https://api.example.com/mcq',
    'http://api.example.com/mcp',
    'xhttps://api.example.com/mcp',
  ])('recognises %s', (presented) => {
    expect(isNearMiss(mcp, presented)).toBe(true);
    expect(isNearMiss(presented, mcp)).toBe(true);
  });

  it('recognises the default port of http', () => {
    expect(isNearMiss('http://localhost', 'http://localhost:80/')).toBe(true);
  });

  it.each([
    mcp,
    '',
    'https://api.example.com/other',
    'https://api.example.org/mcp',
    'https://api.example.com:8443/mcp',
  ])('takes %j for none', (presented) => {
    expect(isNearMiss(mcp, presented)).toBe(false);
  });

  it('compares nothing over 2048 characters', () => {
    const long = `https://a.example/${'a'.repeat(2048)}`;
    expect(isNearMiss(long, `${long}b`)).toBe(false);
    expect(isNearMiss(mcp, long)).toBe(false);
  });

  it('finds every insertion, removal and replacement of one character', () => {
    const character = fc.constantFrom<string>('a', 'b', 'c');
    fc.assert(
      fc.property(fc.array(character, { maxLength: 12 }), fc.nat(), character, (original, at, added) => {
        const place = at % (original.length + 1);
        const before = original.join('');
        const inserted = original.toSpliced(place, 0, added).join('');
        expect(isNearMiss(before, inserted)).toBe(true);
        expect(isNearMiss(inserted, before)).toBe(true);
        const replaced = original.toSpliced(place, 1, 'z').join('');
        expect(isNearMiss(before, replaced)).toBe(true);
      }),
    );
  });

  it('is not misled by two edits', () => {
    expect(isNearMiss('abcd', 'xbcx')).toBe(false);
    expect(isNearMiss('ab', 'ba')).toBe(false);
    expect(isNearMiss('abab', 'ab')).toBe(false);
  });
});
