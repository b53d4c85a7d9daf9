import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startCollector, type Collector } from '../otlp-collector.js';
import { temporaryDirectory } from '../postgres.js';
import { startServerProcess, type ServerProcess } from '../server-process.js';

const SECRET = 'a-code-that-was-typed';

const loggingTo = (endpoint: string): Record<string, string> => ({
  AUTHPLANE_LOG_OTEL: 'true',
  AUTHPLANE_LOG_OTEL_ENDPOINT: endpoint,
  AUTHPLANE_LOG_OTEL_INSECURE: 'true',
});

const data = temporaryDirectory();
afterAll(() => data.remove());

/** Start, one request that is refused, stop. */
async function aShortLife(env: Record<string, string>): Promise<{ server: ServerProcess; requestId: string | null }> {
  const server = await startServerProcess({ dataDir: `${data.path}/data`, env });
  const form = new URLSearchParams({ grant_type: 'none', code: SECRET });
  const refused = await fetch(`${server.url}/oauth/token?code=${SECRET}`, { method: 'POST', body: form });
  expect(await server.end('SIGTERM')).toBe(0);
  return { server, requestId: refused.headers.get('x-request-id') };
}

describe('the log, sent to a collector', { timeout: 120_000 }, () => {
  let collector: Collector;
  let server: ServerProcess;
  let requestId: string | null;
  beforeAll(async () => {
    collector = await startCollector();
    const tracing = {
      AUTHPLANE_TRACING_ENABLED: 'true',
      AUTHPLANE_TRACING_ENDPOINT: collector.endpoint,
      AUTHPLANE_TRACING_INSECURE: 'true',
    };
    ({ server, requestId } = await aShortLife({ ...loggingTo(collector.endpoint), ...tracing }));
  });
  afterAll(() => collector?.close());

  it('has each line of standard output, from the first to the last', () => {
    const written = server.output.map((line) => JSON.parse(line) as Record<string, string>);
    const last = written.findIndex(({ msg }) => msg === 'SIGTERM: finishing what is in flight');
    expect(last).toBeGreaterThan(2);
    expect(
      collector.lines.map(({ body, level, millis, attributes }) => [
        body,
        level,
        new Date(millis).toISOString(),
        attributes['context'],
      ]),
    ).toEqual(written.map(({ msg, level, time, context }) => [msg, level, time, context]));
  });

  it('puts a line beside the trace of its request', () => {
    const line = collector.lines.find(({ attributes }) => attributes['request_id'] === requestId);
    expect(line).toMatchObject({ severity: 9, level: 'info' });
    expect(line?.attributes).not.toHaveProperty('trace_id');
    const span = collector.spans.find(({ spanId }) => spanId === line?.spanId);
    expect(span?.name).toBe('POST /oauth/token');
    expect(line?.traceId).toBe(span?.traceId);
  });

  it('comes from the process that the spans come from', () => {
    expect(new Set(collector.resources.map((resource) => JSON.stringify(resource))).size).toBe(1);
    expect(collector.resources[0]).toMatchObject({ 'service.name': 'authplane' });
  });

  it('has the lines of a start that fails', async () => {
    const old = `${data.path}/old/postgres`;
    mkdirSync(old, { recursive: true });
    writeFileSync(`${old}/PG_VERSION`, '12\n');
    const env = { ...loggingTo(collector.endpoint), AUTHPLANE_LOG_STDOUT: 'false', AUTHPLANE_LOG_LEVLE: 'debug' };
    const started = startServerProcess({ dataDir: `${data.path}/old`, env });
    await expect(started).rejects.toThrow(/the server ended with 1:\nauthserver: .*12/);
    expect(collector.lines.map(({ body }) => body)).toContainEqual(expect.stringContaining('AUTHPLANE_LOG_LEVLE'));
  });

  it('has nothing secret', () => {
    expect(Buffer.concat(collector.raw).includes(SECRET)).toBe(false);
  });
});

describe('a collector of logs that never answers', { timeout: 120_000 }, () => {
  let silent: Server;
  beforeAll(async () => {
    silent = createServer((socket) => socket.resume());
    await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
  });
  afterAll(() => new Promise((closed) => silent.close(closed)));

  it('keeps no server from starting, answering, writing and ending', async () => {
    const { port } = silent.address() as AddressInfo;
    const { server, requestId } = await aShortLife(loggingTo(`127.0.0.1:${port}`));
    expect(server.output.join('\n')).toContain(requestId);
  });
});

describe('a collector that refuses what it is sent', { timeout: 120_000 }, () => {
  it('is told of once, and once more when it takes it', async () => {
    let [answer, batches] = [400, 0];
    const refusing = createHttpServer((req, res) => {
      batches += 1;
      req.resume().on('end', () => res.writeHead(answer).end());
    });
    await new Promise<void>((listening) => refusing.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void refusing.close());
    const { port } = refusing.address() as AddressInfo;
    const env = loggingTo(`127.0.0.1:${port}`);
    const server = await startServerProcess({ dataDir: `${data.path}/data`, env });
    const told = (what: string): number => server.output.filter((line) => line.includes(what)).length;
    const twoBatches = async (): Promise<void> => {
      const from = batches;
      await expect.poll(() => fetch(`${server.url}/jwks.json`).then(() => batches - from)).toBeGreaterThan(1);
    };
    await twoBatches();
    answer = 200;
    await twoBatches();
    expect(await server.end('SIGTERM')).toBe(0);
    expect([
      told('the collector takes no lines of the log'),
      told('the collector takes lines of the log again'),
    ]).toEqual([1, 1]);
  });
});
