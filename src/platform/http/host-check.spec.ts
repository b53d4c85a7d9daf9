import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Request, Response } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostCheck } from './host-check.js';

const check = hostCheck({ isLocal: true, allowedHosts: ['admin.example'] });
const server = createServer((req, res) =>
  check(req as Request, res as Response, (error: unknown) => res.writeHead(error ? 421 : 200).end()),
);
const ADDRESS = '127.0.0.2';

const answerTo = (host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { port } = server.address() as AddressInfo;
    request({ host: ADDRESS, port, headers: { host } }, (res) => resolve(res.resume().statusCode))
      .once('error', reject)
      .end();
  });

describe('the Host header', () => {
  beforeAll(() => new Promise<void>((listening) => server.listen(0, ADDRESS, listening)));
  afterAll(() => void server.close());

  it.each([
    ['localhost:9001', 200],
    ['admin.example', 200],
    // As Prometheus and probes spell a pod.
    [`${ADDRESS}:9001`, 200],
    // Addresses and names at which the connection did not arrive.
    ['127.0.0.3:9001', 421],
    ['10.0.0.1', 421],
    [`${ADDRESS}.evil.example`, 421],
    ['evil.example', 421],
  ])('%j is answered with %i', async (host, status) => {
    expect(await answerTo(host)).toBe(status);
  });
});
