import { createServer as createTlsServer } from 'node:https';
import { gzipSync } from 'node:zlib';
import type { RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { freePort } from '../free-port.js';
import { clientChose, inDevelopment, local, outcome, outgoing, scriptedDns } from '../outgoing.js';
import { localCertificate } from '../tls.js';

const ok: RequestListener = (_, res) => res.setHeader('content-type', 'application/json').end('{"ok":true}');

/** Public by its number, but given to nobody: dialling it disturbs no stranger. */
const nobody = '2d00::1';

const specialUse: [what: string, address: string][] = [
  ['this network', '0.0.0.0'],
  ['this network', '0.1.2.3'],
  ['private', '10.0.0.1'],
  ['private', '172.16.0.1'],
  ['private', '172.31.255.255'],
  ['private', '192.168.1.1'],
  ['carrier-grade NAT', '100.64.0.1'],
  ['carrier-grade NAT', '100.127.255.255'],
  ['loopback', '127.0.0.1'],
  ['loopback', '127.255.255.254'],
  ['cloud metadata', '169.254.169.254'],
  ['IETF protocol assignments', '192.0.0.8'],
  ['documentation', '192.0.2.1'],
  ['6to4 relay', '192.88.99.1'],
  ['benchmarks', '198.18.0.1'],
  ['benchmarks', '198.19.255.255'],
  ['documentation', '198.51.100.1'],
  ['documentation', '203.0.113.1'],
  ['multicast', '224.0.0.1'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['unspecified', '::'],
  ['loopback', '::1'],
  ['IPv4-compatible', '::7f00:1'],
  ['IPv4-mapped', '::ffff:127.0.0.1'],
  ['IPv4-mapped', '::ffff:a9fe:a9fe'],
  ['IPv4-mapped and public', '::ffff:8.8.8.8'],
  ['IPv4-translated', '::ffff:0:127.0.0.1'],
  ['NAT64', '64:ff9b::7f00:1'],
  ['local NAT64', '64:ff9b:1::7f00:1'],
  ['discard-only', '100::1'],
  ['dummy', '100:0:0:1::1'],
  ['Teredo', '2001::1'],
  ['benchmarks', '2001:2::1'],
  ['ORCHID', '2001:20::1'],
  ['documentation', '2001:db8::1'],
  ['6to4', '2002:7f00:1::1'],
  ['documentation', '3fff::1'],
  ['segment routing', '5f00::1'],
  ['unassigned', '4000::1'],
  ['unique local', 'fc00::1'],
  ['cloud metadata', 'fd00:ec2::254'],
  ['link-local', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['multicast', 'ff02::1'],
];

describe('a URL that a client chose', () => {
  it.each(specialUse)('does not reach a %s address, %s, by name', async (_, address) => {
    const fetch = outgoing(scriptedDns([address]));
    expect(await outcome(fetch.get('https://client.example.com/', clientChose))).toBe('refused: address');
  });

  it.each(specialUse)('does not reach a %s address, %s, written as it is', async (_, address) => {
    const host = address.includes(':') ? `[${address}]` : address;
    expect(await outcome(outgoing().get(`https://${host}/`, clientChose))).toBe('refused: address');
  });

  it('does not reach a private address that is one of several', async () => {
    const fetch = outgoing(scriptedDns([nobody, '10.0.0.1', '8.8.8.8']));
    expect(await outcome(fetch.get('https://client.example.com/', clientChose))).toBe('refused: address');
  });

  it.each([
    ['decimal', '2130706433'],
    ['octal', '0177.0.0.1'],
    ['hexadecimal', '0x7f.0.0.1'],
    ['one hexadecimal number', '0x7f000001'],
    ['shortened', '127.1'],
    ['percent-encoded', '%31%32%37.0.0.1'],
    ['ended with a dot', '127.0.0.1.'],
  ])('does not reach loopback when its host is %s: %s', async (_, host) => {
    expect(await outcome(outgoing().get(`https://${host}/`, clientChose))).toBe('refused: address');
  });

  it.each([
    ['http://client.example.com/', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['gopher://client.example.com/', 'scheme'],
    ['https://user@client.example.com/', 'userinfo'],
    ['https://user:secret@client.example.com/', 'userinfo'],
    ['https://@client.example.com/', 'userinfo'],
    ['https://public.example.com@127.0.0.1/', 'userinfo'],
    ['https://client.example.com/#part', 'fragment'],
    ['https://client.example.com/#', 'fragment'],
    ['https://public.example.com\\@127.0.0.1/', 'url'],
    ['https://127.0.0.1\n.example.com/', 'url'],
    [' https://client.example.com/', 'url'],
    ['https://１２７.0.0.1/', 'url'],
    ['https://client.example.com:99999/', 'url'],
    ['//client.example.com/', 'url'],
    ['https://localhost/', 'host'],
    ['https://redis/', 'host'],
    ['https://admin.localhost/', 'host'],
    ['https://metadata.google.internal/', 'host'],
    ['https://printer.local/', 'host'],
    ['https://client.example.com./', 'host'],
  ])('%j is refused before anything is resolved', async (url, reason) => {
    const dns = scriptedDns([nobody]);
    expect(await outcome(outgoing(dns).get(url, clientChose))).toBe(`refused: ${reason}`);
    expect(dns.asked).toEqual([]);
  });

  it('stays where it was checked when its name is rebound between the check and the connection', async () => {
    const inside = await local(ok, { address: '127.0.0.1' });
    const dns = scriptedDns([nobody], ['127.0.0.1']);
    const answer = await outcome(outgoing(dns).get(`https://rebound.example.com:${inside.port}/`, clientChose));
    expect(answer).toMatch(/^failed: (timeout|connect)$/);
    expect(dns.asked).toEqual(['rebound.example.com']);
    expect(inside.hits).toEqual([]);
  });

  it('is dialled at the address that was resolved once', async () => {
    const port = await freePort();
    const checked = await local(ok, { address: '127.0.0.2', port });
    const rebound = await local(ok, { address: '127.0.0.1', port });
    const dns = scriptedDns(['127.0.0.2'], ['127.0.0.1']);
    const answer = await outgoing(dns).get(`http://rebound.example.com:${port}/a`, inDevelopment);
    expect(answer.status).toBe(200);
    expect([dns.asked.length, checked.hits, rebound.hits]).toEqual([1, ['/a'], []]);
  });

  it('does not lead to cloud metadata even in development', async () => {
    expect(await outcome(outgoing().get('http://169.254.169.254/latest/', inDevelopment))).toBe('refused: address');
    expect(await outcome(outgoing().get('http://[fd00:ec2::254]/latest/', inDevelopment))).toBe('refused: address');
  });
});

describe('a URL that an operator typed', () => {
  const operatorTyped = { ...clientChose, trust: 'operator' as const, timeoutMs: 5000 };

  it('may lead into the own network, by https', async () => {
    const closed = await local(ok);
    const url = `https://idp.corp.internal:${closed.port}/`;
    expect(await outcome(outgoing(scriptedDns(['127.0.0.1'])).get(url, operatorTyped))).toBe('failed: tls');
    expect(await outcome(outgoing().get('http://10.0.0.1/', operatorTyped))).toBe('refused: scheme');
  });

  it.each(['169.254.169.254', 'fe80::1', '0.0.0.0', '::', '::ffff:10.0.0.1', '224.0.0.1', 'fd00:ec2::254'])(
    'does not lead to %s',
    async (address) => {
      const fetch = outgoing(scriptedDns([address]));
      expect(await outcome(fetch.get('https://idp.example.com/', operatorTyped))).toBe('refused: address');
    },
  );

  it('lends its privilege to URLs of its documents on the same host only', async () => {
    const server = await local(ok);
    const here = { ...operatorTyped, allowHttp: true, learnedFrom: `http://127.0.0.1:${server.port}/discovery` };
    expect(await outcome(outgoing().get(`http://127.0.0.1:${server.port}/jwks`, here))).toMatchObject({ status: 200 });
    const elsewhere = outgoing(scriptedDns(['127.0.0.1'])).get(`http://other.example.com:${server.port}/jwks`, here);
    expect(await outcome(elsewhere)).toBe('refused: address');
    expect(server.hits).toEqual(['/jwks']);
  });
});

describe('an answer', () => {
  it('is read with its status and headers', async () => {
    const seen: unknown[] = [];
    const server = await local((req, res) => {
      seen.push(req.method, req.headers.accept, req.headers['accept-encoding'], req.headers.host);
      res.writeHead(404, { 'Cache-Control': 'max-age=60', 'X-Twice': ['a', 'b'] }).end('gone');
    });
    const host = `client.example.com:${server.port}`;
    const answer = await outgoing(scriptedDns(['127.0.0.1'])).get(`http://${host}/a?b=c`, inDevelopment);
    expect(answer).toMatchObject({ status: 404, headers: { 'cache-control': 'max-age=60', 'x-twice': 'a, b' } });
    expect(answer.body.toString()).toBe('gone');
    expect([...seen, ...server.hits]).toEqual(['GET', 'application/json', 'identity', host, '/a?b=c']);
  });

  it.each([301, 302, 303, 307, 308])(
    'that redirects (%i) to cloud metadata is handed over, not followed',
    async (status) => {
      const victim = await local(ok);
      const server = await local((_, res) => {
        res.writeHead(status, { location: `http://127.0.0.1:${victim.port}/latest/meta-data` }).end();
      });
      const answer = await outgoing().get(`http://127.0.0.1:${server.port}/`, inDevelopment);
      expect(answer.status).toBe(status);
      expect(victim.hits).toEqual([]);
    },
  );

  it('that comes byte by byte is cut off at the deadline', async () => {
    let open = true;
    const server = await local((_, res) => {
      const timer = setInterval(() => res.write('a'), 20);
      res.on('close', () => {
        clearInterval(timer);
        open = false;
      });
    });
    const start = performance.now();
    const answer = outgoing().get(`http://127.0.0.1:${server.port}/`, { ...inDevelopment, timeoutMs: 200 });
    expect(await outcome(answer)).toBe('failed: timeout');
    await expect.poll(() => open, { interval: 10 }).toBe(false);
    // At this pace the bound on its length would have come after twenty seconds.
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('whose headers never come is given up at the deadline', async () => {
    const server = await local(() => undefined);
    const answer = outgoing().get(`http://127.0.0.1:${server.port}/`, { ...inDevelopment, timeoutMs: 100 });
    expect(await outcome(answer)).toBe('failed: timeout');
  });

  it('is not waited for when the name server hangs', async () => {
    const answer = outgoing(() => new Promise(() => undefined)).get('https://slow.example.com/', clientChose);
    expect(await outcome(answer)).toBe('failed: timeout');
  });

  it.each([
    ['announced', { 'content-length': '1001' }],
    ['chunked', {}],
  ])('that is one byte too long (%s) is refused, one that just fits is not', async (_, headers) => {
    const server = await local((req, res) => {
      const length = req.url === '/fits' ? 1000 : 1001;
      res.writeHead(200, 'content-length' in headers ? { 'content-length': `${length}` } : {});
      res.write('a'.repeat(500));
      res.end('a'.repeat(length - 500));
    });
    const get = (path: string) => outcome(outgoing().get(`http://127.0.0.1:${server.port}${path}`, inDevelopment));
    expect(await get('/fits')).toMatchObject({ status: 200, body: Buffer.alloc(1000, 'a') });
    expect(await get('/too-long')).toBe('refused: too_large');
  });

  it('without an end is cut off at the bound', async () => {
    let sent = 0;
    const server = await local((_, res) => {
      const more = (): void => {
        while (!res.destroyed && res.write(Buffer.alloc(1000))) sent += 1000;
      };
      res.on('drain', more);
      more();
    });
    expect(await outcome(outgoing().get(`http://127.0.0.1:${server.port}/`, inDevelopment))).toBe('refused: too_large');
    expect(sent).toBeLessThan(50_000_000);
  });

  it('with headers beyond measure is refused', async () => {
    const server = await local((_, res) => res.writeHead(200, { 'x-long': 'a'.repeat(40_000) }).end());
    const answer = outgoing().get(`http://127.0.0.1:${server.port}/`, inDevelopment);
    expect(await outcome(answer)).toBe('refused: too_large');
  });

  it.each(['gzip', 'GZIP', 'br', 'identity, gzip'])('encoded as %s is refused: it may be a bomb', async (encoding) => {
    const server = await local((_, res) => {
      res.writeHead(200, { 'content-encoding': encoding }).end(gzipSync(Buffer.alloc(10_000_000)).subarray(0, 500));
    });
    const answer = outgoing().get(`http://127.0.0.1:${server.port}/`, inDevelopment);
    expect(await outcome(answer)).toBe('refused: encoding');
  });

  it('under a certificate that nobody trusts is not read', async () => {
    const { key, cert } = localCertificate();
    const server = await local(ok, { server: createTlsServer({ key, cert }) });
    const answer = outgoing().get(`https://127.0.0.1:${server.port}/`, inDevelopment);
    expect(await outcome(answer)).toBe('failed: tls');
    expect(server.hits).toEqual([]);
  });

  it('that is not HTTP, or none at all, is a failure that may pass', async () => {
    const server = await local((req) => req.socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    const url = `http://127.0.0.1:${server.port}/`;
    expect(await outcome(outgoing().get(url, inDevelopment))).toBe('failed: connect');
    await server.close();
    expect(await outcome(outgoing().get(url, inDevelopment))).toBe('failed: connect');
  });
});

describe('requests at once', () => {
  it('are bounded, so that slow hosts cannot take up the server, and slots are given back', async () => {
    const held: (() => void)[] = [];
    const server = await local((_, res) => void held.push(() => res.end('late')));
    const fetch = outgoing();
    const url = `http://127.0.0.1:${server.port}/`;
    const waiting = Array.from({ length: 16 }, () => outcome(fetch.get(url, inDevelopment)));
    expect(await outcome(fetch.get(url, inDevelopment))).toBe('failed: capacity');
    await expect.poll(() => held.length).toBe(16);
    for (const answer of held) answer();
    expect((await Promise.all(waiting)).every((answer) => typeof answer === 'object')).toBe(true);
    const next = outcome(fetch.get(url, inDevelopment));
    await expect.poll(() => held.length).toBe(17);
    held[16]?.();
    expect(await next).toMatchObject({ status: 200 });
  });

  it('whose name server hangs keep their slot, since their look-up goes on', async () => {
    const fetch = outgoing(() => new Promise(() => undefined));
    const get = (host = 'slow') =>
      outcome(fetch.get(`https://${host}.example.com/`, { ...clientChose, timeoutMs: 50 }));
    expect(await Promise.all(Array.from({ length: 16 }, () => get()))).toEqual(
      Array.from({ length: 16 }, () => 'failed: timeout'),
    );
    expect(await get('another')).toBe('failed: capacity');
    expect(await get()).toBe('failed: circuit_open');
  });

  it('of a name that does not exist fail for now', async () => {
    const unknown = outgoing(() => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })));
    expect(await outcome(unknown.get('https://client.example.com/', clientChose))).toBe('failed: dns');
    expect(await outcome(outgoing(scriptedDns([])).get('https://client.example.com/', clientChose))).toBe(
      'failed: dns',
    );
  });
});
