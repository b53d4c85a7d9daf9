import { PassThrough } from 'node:stream';
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type { Request, Response } from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { openRequestContext, requestContext } from '../http/request-context.js';
import { JsonLogger } from './json-logger.js';
import { inNewTrace, SpanKind, useTracer } from './spans.js';

function logging(): { logger: JsonLogger; lines: () => Record<string, unknown>[] } {
  const out = new PassThrough();
  const lines = (): Record<string, unknown>[] =>
    String(out.read() ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { logger: new JsonLogger('info', out), lines };
}

const within = (work: () => void): void =>
  openRequestContext({ headers: {} } as Request, { setHeader: () => {} } as unknown as Response, work);

describe('a line of the log', () => {
  afterEach(() => useTracer(undefined));

  it('has the id of its request, and none outside of one', () => {
    const { logger, lines } = logging();
    let id: string | undefined;
    within(() => {
      id = requestContext()?.requestId;
      logger.log('inside');
    });
    logger.log('outside');
    expect(lines()).toEqual([
      expect.objectContaining({ msg: 'inside', request_id: id }),
      expect.not.objectContaining({ request_id: expect.anything() }),
    ]);
  });

  it('has its trace and span while there is one', async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const { logger, lines } = logging();
    const traced = () => inNewTrace('job x', SpanKind.CONSUMER, {}, async () => logger.log('inside'));
    await traced();
    useTracer(new BasicTracerProvider().getTracer('test'));
    await traced();
    logger.log('outside');
    const [untraced, line, outside] = lines();
    expect(line).toMatchObject({
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    for (const other of [untraced, outside]) expect(other).not.toHaveProperty('trace_id');
  });
});
