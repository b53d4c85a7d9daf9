import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { KeptConnections } from '../src/platform/http-client/connections.js';
import { FetchFailed, FetchRefused } from '../src/platform/http-client/fetch-errors.js';
import { GuardedFetch, type FetchedAnswer, type GuardedGet } from '../src/platform/http-client/guarded-fetch.js';
import type { Resolver } from '../src/platform/http-client/resolver.js';

export interface LocalServer {
  readonly port: number;
  /** The paths that were asked for. */
  readonly hits: string[];
  close(): Promise<void>;
}

/** An HTTP server on a loopback address (Linux answers for all of 127/8). */
export async function serve(
  listener: RequestListener,
  { address = '127.0.0.1', port = 0, server = createServer() as Server } = {},
): Promise<LocalServer> {
  const hits: string[] = [];
  server.on('request', (req, res) => {
    hits.push(req.url ?? '');
    listener(req, res);
  });
  server.listen(port, address);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    hits,
    close: async () => {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

/** As `serve`, until the test is over. */
export async function local(...what: Parameters<typeof serve>): Promise<LocalServer> {
  const server = await serve(...what);
  onTestFinished(() => server.close());
  return server;
}

/** A DNS that gives one answer after the other, the last one for ever, and keeps count. */
export function scriptedDns(...answers: string[][]): Resolver & { asked: string[] } {
  const asked: string[] = [];
  const resolve: Resolver = (host) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(host);
    return Promise.resolve(answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
  };
  return Object.assign(resolve, { asked });
}

/** As the server asks for a URL that a client chose, with short bounds. */
export const clientChose: GuardedGet = { trust: 'client', maxBytes: 1000, timeoutMs: 300, accept: 'application/json' };

/** As with the development switches on, so that a local server can be reached. */
export const inDevelopment: GuardedGet = { ...clientChose, allowHttp: true, allowPrivate: true, timeoutMs: 5000 };

export function outgoing(resolve?: Resolver): GuardedFetch {
  return new GuardedFetch(resolve);
}

/** As the server asks a host that it asks all the time. */
export function keeping(resolve?: Resolver): GuardedFetch {
  return new GuardedFetch(resolve, undefined, new KeptConnections());
}

/** What became of a request: `refused: address`, `failed: timeout`, or its answer. */
export async function outcome(answer: Promise<FetchedAnswer>): Promise<string | FetchedAnswer> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof FetchRefused) return `refused: ${error.reason}`;
    if (error instanceof FetchFailed) return `failed: ${error.reason}`;
    throw error;
  }
}
