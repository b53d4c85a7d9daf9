import type { RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { freePort } from '../free-port.js';
import { inDevelopment, keeping, local, outcome, outgoing, scriptedDns } from '../outgoing.js';

const ok: RequestListener = (_, res) => res.end('{"ok":true}');

describe('connections that are kept', () => {
  it('are used again', async () => {
    const ports = new Set<number | undefined>();
    const server = await local((req, res) => {
      ports.add(req.socket.remotePort);
      res.end();
    });
    const fetch = keeping();
    for (let n = 0; n < 20; n += 1) await fetch.get(`http://127.0.0.1:${server.port}/`, inDevelopment);
    expect(server.hits.length).toBe(20);
    // One is free again a moment after its answer was read.
    expect(ports.size).toBeLessThan(5);
  });

  it('are left when the name leads elsewhere, and when it leads where it may not', async () => {
    const port = await freePort();
    const former = await local(ok, { address: '127.0.0.2', port });
    const latter = await local(ok, { address: '127.0.0.1', port });
    const fetch = keeping(scriptedDns(['127.0.0.2'], ['127.0.0.2'], ['127.0.0.1'], ['169.254.169.254']));
    const get = (path: string) => outcome(fetch.get(`http://moved.example.com:${port}${path}`, inDevelopment));
    for (const path of ['/a', '/b', '/c']) expect(await get(path)).toMatchObject({ status: 200 });
    expect(await get('/d')).toBe('refused: address');
    expect([former.hits, latter.hits]).toEqual([['/a', '/b'], ['/c']]);
  });

  it.each([500, 503, 307])(
    'are left when the answer is %s: behind the same address another server may do better',
    async (status) => {
      const [seen, sick] = [new Set<number | undefined>(), new Set<number | undefined>()];
      const server = await local(({ socket }, res) => {
        seen.add(socket.remotePort);
        res.writeHead(sick.has(socket.remotePort) ? status : 200).end();
      });
      const fetch = keeping();
      const get = async () => (await fetch.get(`http://127.0.0.1:${server.port}/`, inDevelopment)).status;
      for (let n = 0; n < 3; n += 1) expect(await get()).toBe(200);
      for (const port of seen) sick.add(port);
      const statuses = [await get(), await get(), await get(), await get()];
      expect(statuses.filter((each) => each === status).length).toBeLessThan(2);
    },
  );

  it('bring nobody the rest of an answer that was refused or given up', async () => {
    let late: ServerResponse | undefined;
    const server = await local((req, res) => {
      if (req.url === '/late') return void (late = res);
      if (req.url === '/long') return void res.end('a'.repeat(1001));
      if (req.url === '/packed') return void res.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('packed'));
      res.end(req.url);
    });
    const fetch = keeping();
    const get = (path: string, options = {}) =>
      outcome(fetch.get(`http://127.0.0.1:${server.port}${path}`, { ...inDevelopment, ...options }));
    const fine = async (path: string) => expect(await get(path)).toMatchObject({ body: Buffer.from(path) });
    await fine('/a');
    expect(await get('/late', { timeoutMs: 50 })).toBe('failed: timeout');
    late?.end('late');
    await fine('/b');
    expect(await get('/long')).toBe('refused: too_large');
    await fine('/c');
    expect(await get('/packed')).toBe('refused: encoding');
    await fine('/d');
    expect(await get('/unread', { maxBytes: 0 })).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    await fine('/e');
  });

  it('that the other side closes in the moment they are used again cost no answer', async () => {
    const requests = new Map<Socket, number>();
    const server = await local((req, res) => {
      const before = requests.get(req.socket) ?? 0;
      requests.set(req.socket, before + 1);
      if (before < 3) res.end('fine');
      else req.socket.resetAndDestroy();
    });
    const fetch = keeping();
    const body = { ...inDevelopment, contentType: 'application/json', body: '{}' };
    for (let n = 0; n < 50; n += 1)
      expect(await outcome(fetch.post(`http://127.0.0.1:${server.port}/`, body))).toMatchObject({ status: 200 });
    expect(Math.max(...requests.values())).toBe(4);
  });

  it('are asked twice at most', async () => {
    const server = await local((req) => void req.socket.destroy());
    expect(await outcome(keeping().get(`http://127.0.0.1:${server.port}/`, inDevelopment))).toBe('failed: connect');
    expect(server.hits).toHaveLength(2);
    expect(await outcome(outgoing().get(`http://127.0.0.1:${server.port}/`, inDevelopment))).toBe('failed: connect');
    expect(server.hits).toHaveLength(3);
  });

  it('that the other side has closed meanwhile are not used', async () => {
    const port = await freePort();
    const before = await local(ok, { port });
    const fetch = keeping();
    const get = () => outcome(fetch.get(`http://127.0.0.1:${port}/`, inDevelopment));
    expect(await get()).toMatchObject({ status: 200 });
    await before.close();
    expect(await get()).toBe('failed: connect');
    await local(ok, { port });
    expect(await get()).toMatchObject({ status: 200 });
  });
});
