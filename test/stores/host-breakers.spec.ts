import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Breakers } from '../../src/platform/breaker/breakers.js';
import { FetchFailed, reachedNobody } from '../../src/platform/http-client/fetch-errors.js';
import { GuardedFetch } from '../../src/platform/http-client/guarded-fetch.js';
import { HostBreakers } from '../../src/platform/http-client/host-breakers.js';

/** Of who asks one that does not answer. */
const rules = { trust: 'operator', allowHttp: true, maxBytes: 1_000, timeoutMs: 100, accept: '*/*' } as const;
const patient = { ...rules, timeoutMs: 10_000 } as const;

let silent: Server;
let quick: Server;
let asked = 0;
beforeAll(async () => {
  silent = createServer(() => (asked += 1)).listen(0, '127.0.0.1');
  quick = createServer((_, res) => res.end('here')).listen(0, '127.0.0.1');
  await Promise.all([silent, quick].map((server) => new Promise((resolve) => server.once('listening', resolve))));
});
afterAll(() => {
  for (const server of [silent, quick]) server.closeAllConnections();
  for (const server of [silent, quick]) server.close();
});

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'answered',
    (error: unknown) => error,
  );

describe('a host that hangs', () => {
  it('is asked no more after five time-outs, which is known at once and nobody else feels', async () => {
    const breakers = new Breakers();
    const fetch = new GuardedFetch(undefined, new HostBreakers(breakers));
    for (let n = 0; n < 5; n++)
      expect(await failure(fetch.get(urlOf(silent), rules))).toMatchObject({ reason: 'timeout' });
    const before = asked;
    const began = performance.now();
    const refused = await failure(fetch.get(urlOf(silent), patient));
    expect(refused).toMatchObject({ reason: 'circuit_open' });
    expect(reachedNobody(refused as FetchFailed)).toBe(true);
    expect(performance.now() - began).toBeLessThan(patient.timeoutMs / 2);
    expect(asked).toBe(before);
    expect((await fetch.get(urlOf(quick), patient)).body.toString()).toBe('here');
    expect(breakers.states()).toEqual([{ name: 'outgoing', open: 1, refused: 1 }]);
  });

  it('that strangers keep asking is shut to them alone, not to what operators named', async () => {
    const fetch = new GuardedFetch();
    const hangsByPath = createServer((req, res) => void (req.url === '/keys' && res.end('keys'))).listen(
      0,
      '127.0.0.1',
    );
    await new Promise((resolve) => hangsByPath.once('listening', resolve));
    const byClient = { ...rules, trust: 'client', allowPrivate: true } as const;
    const strangers = Array.from({ length: 5 }, () => failure(fetch.get(urlOf(hangsByPath), byClient)));
    expect(await Promise.all(strangers)).toMatchObject(Array.from({ length: 5 }, () => ({ reason: 'timeout' })));
    expect(await failure(fetch.get(`${urlOf(hangsByPath)}keys`, byClient))).toMatchObject({ reason: 'circuit_open' });
    expect((await fetch.get(`${urlOf(hangsByPath)}keys`, patient)).body.toString()).toBe('keys');
    hangsByPath.closeAllConnections();
    hangsByPath.close();
  });

  it('is waited for by sixteen at once, and leaves room for who asks another', async () => {
    const fetch = new GuardedFetch();
    const waiting = Array.from({ length: 16 }, () => failure(fetch.get(urlOf(silent), rules)));
    const crowd = Array.from({ length: 40 }, () => failure(fetch.get(urlOf(silent), rules)));
    expect(await Promise.all(crowd)).toMatchObject(Array.from({ length: 40 }, () => ({ reason: 'capacity' })));
    expect((await fetch.get(urlOf(quick), patient)).body.toString()).toBe('here');
    expect(await Promise.all(waiting)).toMatchObject(Array.from({ length: 16 }, () => ({ reason: 'timeout' })));
    // Those who were one too many say nothing of the host.
    expect(await failure(fetch.get(urlOf(silent), rules))).toMatchObject({ reason: 'circuit_open' });
  });
});
