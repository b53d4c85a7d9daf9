import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesRedirectUri, redirectHost, redirectKind, redirectUriProblem } from './redirect-uri.js';

const native = {
  allowedSchemes: ['cursor', 'com.example.app', 'javascript', 'data', 'file', 'http', 'ws'],
  applicationType: 'native',
} as const;
const web = { ...native, applicationType: 'web' } as const;

describe('redirectUriProblem', () => {
  it.each([
    ['https', 'https://app.example.com/callback?tenant=a&x=%C3%A9'],
    ['https', 'https://app.example.com'],
    ['https', 'https://app.example.com?x=1'],
    ['https', 'https://xn--mnchen-3ya.example:8443/cb'],
    ['https', 'https://[2001:db8::1]/cb'],
    ['loopback', 'http://localhost:1234/cb'],
    ['loopback', 'http://127.0.0.1/cb'],
    ['loopback', 'http://[::1]:8080'],
    ['loopback', 'https://localhost/cb'],
    ['private-use', 'cursor://anysphere.cursor-mcp/oauth/callback'],
    ['private-use', 'com.example.app:/cb'],
  ])('takes the %s URI %s', (kind, uri) => {
    expect(redirectKind(uri)).toBe(kind);
    expect(redirectUriProblem(uri, native)).toBeUndefined();
  });

  it.each([
    ['a fragment', 'https://app.example.com/cb#x', 'fragment'],
    ['an empty fragment', 'https://app.example.com/cb#', 'fragment'],
    ['userinfo', 'https://user:pass@app.example.com/cb', 'user name'],
    ['a host that is only userinfo', 'https://app.example.com@evil.example/cb', 'user name'],
    ['a password only', 'https://:p@evil.example/cb', 'user name'],
    ['empty userinfo', 'https://@evil.example/cb', 'normal form'],
    ['userinfo in a private-use URI', 'cursor://u@host/cb', 'user name'],
    ['a backslash, which browsers read as a slash', 'https://evil.example\\@app.example.com/cb', 'RFC 3986'],
    ['backslashes for slashes', 'https:\\\\app.example.com\\cb', 'RFC 3986'],
    ['a tab, which browsers drop', 'https://app.exa\tmple.com/cb', 'RFC 3986'],
    ['a newline in the scheme', 'java\nscript:alert(1)', 'RFC 3986'],
    ['a newline at the end', 'https://app.example.com/cb\n', 'RFC 3986'],
    ['a leading space', ' https://app.example.com/cb', 'RFC 3986'],
    ['NUL', 'https://app.example.com/\u0000', 'RFC 3986'],
    ['an encoded NUL', 'https://app.example.com/%00', 'control characters'],
    ['an encoded line break', 'https://app.example.com/cb?x=%0d%0aSet-Cookie:', 'control characters'],
    ['an overlong encoded slash', 'https://app.example.com/%c0%af', 'control characters'],
    ['encoded bytes that are not UTF-8', 'https://app.example.com/%ff', 'control characters'],
    ['a broken escape', 'https://app.example.com/%zz', 'RFC 3986'],
    ['a host in another script', 'https://аpp.example.com/cb', 'RFC 3986'],
    ['full-width dots', 'https://app。example.com/cb', 'RFC 3986'],
    ['quotes', 'https://app.example.com/"><script>', 'RFC 3986'],
    ['upper case in the host', 'https://App.example.com/cb', 'normal form'],
    ['upper case in the scheme', 'HTTPS://app.example.com/cb', 'normal form'],
    ['the default port', 'https://app.example.com:443/cb', 'normal form'],
    ['an empty port', 'https://app.example.com:/cb', 'normal form'],
    ['dot segments', 'https://app.example.com/a/../cb', 'normal form'],
    ['encoded dot segments', 'https://app.example.com/a/%2e%2E/cb', 'normal form'],
    ['a host in escapes', 'https://ex%61mple.com/cb', 'normal form'],
    ['one slash', 'https:/app.example.com/cb', 'normal form'],
    ['three slashes', 'https:///app.example.com/cb', 'normal form'],
    ['an address in hexadecimal', 'http://0x7f.1/cb', 'normal form'],
    ['a short address', 'http://127.1/cb', 'normal form'],
    ['a wildcard', 'https://*.example.com/cb', 'letters, digits'],
    ['a host with a comma', 'https://a.example,b.example/cb', 'letters, digits'],
    ['a host of dots', 'https://../cb', 'letters, digits'],
    ['a host that does not parse', 'https://256.1.1.1/cb', 'absolute'],
    ['a relative reference', '/cb', 'absolute'],
    ['nothing', '', 'RFC 3986'],
    ['over 2048 characters', `https://app.example.com/${'a'.repeat(2048)}`, '2048'],
    ['http on another host', 'http://app.example.com/cb', 'http is only for'],
    ['http on a host that begins like loopback', 'http://localhost.evil.example/cb', 'http is only for'],
    ['http on localhost with a dot', 'http://localhost./cb', 'http is only for'],
    ['http on another loopback address', 'http://127.0.0.2/cb', 'http is only for'],
    ['http on any address', 'http://0.0.0.0/cb', 'http is only for'],
    ['http on a mapped address', 'http://[::ffff:7f00:1]/cb', 'http is only for'],
  ])('refuses %s', (_, uri, problem) => {
    const refusal = redirectUriProblem(uri, native);
    expect(refusal?.problem).toContain(problem);
    expect(refusal?.reason).toBe('redirect_invalid');
    expect(redirectKind(uri)).toBeUndefined();
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'blob:https://app.example.com/1',
    'vbscript:x',
    'ws://localhost/',
    'view-source:https://a.example/',
  ])('never takes %s, not even when an operator listed the scheme', (uri) => {
    const refusal = redirectUriProblem(uri, { ...native, allowedSchemes: [uri.split(':')[0] ?? ''] });
    expect(refusal).toEqual({ problem: expect.stringContaining('is never allowed'), reason: 'redirect_invalid' });
    expect(redirectKind(uri)).toBeUndefined();
  });

  it('takes a private-use scheme only if it is listed, and says where', () => {
    expect(redirectUriProblem('windsurf://callback', native)).toEqual({
      problem: 'scheme windsurf is not listed in oauth.allowed_redirect_schemes',
      reason: 'scheme_not_allowed',
    });
  });

  it('takes no private-use scheme from a web client, but https and loopback', () => {
    expect(redirectUriProblem('cursor://anysphere.cursor-mcp/cb', web)?.reason).toBe('redirect_invalid');
    expect(redirectUriProblem('https://app.example.com/cb', web)).toBeUndefined();
    expect(redirectUriProblem('http://localhost:3000/cb', web)).toBeUndefined();
  });

  it('answers with bounded text that RFC 6749 allows', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), fc.stringMatching(/^[a-z]{1,300}:.*$/)),
        (uri) => {
          const problem = redirectUriProblem(uri, web)?.problem ?? 'none';
          expect(problem).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,200}$/);
        },
      ),
    );
  });

  it('takes only what every URL parser reads as the same destination', () => {
    const piece = fc.constantFrom(
      'https:',
      'http:',
      '/',
      '//',
      '\\',
      '@',
      ':',
      '?',
      '#',
      '.',
      '..',
      '%2e',
      '%00',
      '%5c',
      '\t',
      '\n',
      'localhost',
      'a.example',
      '127.0.0.1',
      '[::1]',
      'é',
      'A',
      '443',
      '%41',
    );
    fc.assert(
      fc.property(fc.constantFrom('', 'https://', 'http://'), fc.array(piece, { maxLength: 8 }), (start, pieces) => {
        const uri = start + pieces.join('');
        const kind = redirectKind(uri);
        fc.pre(kind === 'https' || kind === 'loopback');
        const [, scheme, host, port] =
          /^(https?):\/\/([a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:]+\])(?::(\d+))?(?:[/?][!-~]*)?$/.exec(uri) ?? [];
        const url = new URL(uri);
        expect([`${scheme}:`, host, port ?? '']).toEqual([url.protocol, url.hostname, url.port]);
        expect(uri).not.toMatch(/[\\#\s]|%00/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('matchesRedirectUri', () => {
  it.each([
    ['https://app.example.com/cb', 'https://app.example.com/cb'],
    ['http://localhost/cb', 'http://localhost:51234/cb'],
    ['http://localhost:8080/cb', 'http://localhost:51234/cb'],
    ['http://localhost:8080/cb', 'http://localhost/cb'],
    ['http://127.0.0.1/cb?x=1', 'http://127.0.0.1:80/cb?x=1'],
    ['http://[::1]/cb', 'http://[::1]:65535/cb'],
    ['http://127.0.0.1', 'http://127.0.0.1:3000'],
    ['http://127.0.0.1?x', 'http://127.0.0.1:3000?x'],
    ['cursor://anysphere.cursor-mcp/cb', 'cursor://anysphere.cursor-mcp/cb'],
  ])('%s is met by %s', (registered, presented) => {
    expect(matchesRedirectUri(registered, presented)).toBe(true);
  });

  it.each([
    ['another path', 'http://localhost/cb', 'http://localhost:1/cb2'],
    ['a slash more', 'http://localhost/cb', 'http://localhost:1/cb/'],
    ['another query', 'http://localhost/cb', 'http://localhost:1/cb?x=1'],
    ['another loopback host', 'http://localhost/cb', 'http://127.0.0.1:1/cb'],
    ['another scheme', 'http://localhost/cb', 'https://localhost:1/cb'],
    ['another port of https on loopback', 'https://localhost/cb', 'https://localhost:1/cb'],
    ['another port of a host on the web', 'https://app.example.com/cb', 'https://app.example.com:8443/cb'],
    ['upper case', 'https://app.example.com/cb', 'https://app.example.com/CB'],
    ['an encoded character', 'https://app.example.com/cb', 'https://app.example.com/c%62'],
    ['a prefix', 'https://app.example.com/cb', 'https://app.example.com/cb/../evil'],
    ['a host behind userinfo', 'http://localhost/cb', 'http://localhost:1@evil.example/cb'],
    ['a host that goes on', 'http://localhost/cb', 'http://localhost:1.evil.example/cb'],
    ['a backslash', 'http://localhost/cb', 'http://localhost:1\\@evil.example/cb'],
    ['a fragment', 'http://localhost/cb', 'http://localhost:1/cb#x'],
    ['a port out of range', 'http://localhost/cb', 'http://localhost:65536/cb'],
    ['a port with zeros', 'http://localhost/cb', 'http://localhost:08080/cb'],
    ['an empty port', 'http://localhost/cb', 'http://localhost:/cb'],
    ['dot segments on both sides', 'http://localhost/a/../cb', 'http://localhost:1/a/../cb'],
    ['a newline at the end', 'http://localhost/cb', 'http://localhost:1/cb\n'],
  ])('%s does not match', (_, registered, presented) => {
    expect(matchesRedirectUri(registered, presented)).toBe(false);
  });

  it('takes every port of a loopback URI, and never another host', () => {
    const host = fc.constantFrom('localhost', '127.0.0.1', '[::1]');
    fc.assert(
      fc.property(host, host, fc.integer({ min: 1, max: 65_535 }), (registered, presented, port) => {
        const matches = matchesRedirectUri(`http://${registered}/cb`, `http://${presented}:${port}/cb`);
        expect(matches).toBe(registered === presented);
      }),
    );
  });
});

describe('redirectHost', () => {
  it.each([
    ['https://app.example.com:8443/cb', 'app.example.com'],
    ['https://xn--pple-43d.com/cb', 'xn--pple-43d.com'],
    ['https://аpple.com/cb', 'xn--pple-43d.com'],
    ['https://bank.example@evil.example/', 'evil.example'],
    ['https://evil.example\\@bank.example/', 'evil.example'],
    ['http://localhost:1234/cb', 'localhost'],
    ['cursor://anysphere.cursor-mcp/cb', 'cursor://anysphere.cursor-mcp'],
    ['com.example.app:/cb', 'com.example.app:'],
    ['no URI', ''],
  ])('of %s is %s', (uri, host) => {
    expect(redirectHost(uri)).toBe(host);
  });
});
