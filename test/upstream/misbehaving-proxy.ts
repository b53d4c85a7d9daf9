import type { IncomingMessage, ServerResponse } from 'node:http';
import { serve } from '../outgoing.js';

/** What becomes of one request. Where upstream is asked, it is asked for real: its tokens rotate. */
export type Misbehaviour =
  /** The connection breaks before upstream has heard of it. */
  | { readonly kind: 'drop_before' }
  /** Upstream has answered, and the connection breaks: at once, or when `until` has come true. */
  | { readonly kind: 'drop_after'; readonly until?: Promise<unknown> }
  /** The answer comes when `until` has come true; `when: before`: upstream is asked only then. */
  | { readonly kind: 'hold'; readonly until: Promise<unknown>; readonly when?: 'before' | 'after' }
  /** This answer, without upstream. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Upstream's answer, cut in half. */
  | { readonly kind: 'truncate' }
  /** Upstream's answer, with other members; undefined takes one away. */
  | { readonly kind: 'change'; readonly members: Readonly<Record<string, unknown>> };

export interface MisbehavingProxy {
  readonly origin: string;
  /** `POST /token` for every request so far. */
  readonly seen: string[];
  /** The next requests, one each; those after them go through. */
  next(...behaviours: readonly Misbehaviour[]): void;
  /** Every request from now on; nothing: they go through. */
  always(behaviour?: Misbehaviour): void;
  /** Comes true when that many requests have arrived, counted from the start. */
  arrived(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A network that loses, delays and changes what passes between this server and `upstream`. */
export async function misbehavingProxy(upstream: string): Promise<MisbehavingProxy> {
  const once: Misbehaviour[] = [];
  const seen: string[] = [];
  const waiting = new Map<number, () => void>();
  let always: Misbehaviour | undefined;
  const server = await serve((req, res) => {
    seen.push(`${req.method} ${req.url}`);
    waiting.get(seen.length)?.();
    carry(upstream, req, res, once.shift() ?? always).catch(() => req.socket.destroy());
  });
  return {
    origin: `http://localhost:${server.port}`,
    seen,
    next: (...behaviours) => void once.push(...behaviours),
    always: (behaviour) => void (always = behaviour),
    arrived: (count) =>
      seen.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.set(count, resolve)),
    close: () => server.close(),
  };
}

async function carry(
  upstream: string,
  req: IncomingMessage,
  res: ServerResponse,
  behaviour: Misbehaviour | undefined,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  if (behaviour?.kind === 'drop_before') return void req.socket.destroy();
  if (behaviour?.kind === 'answer') {
    res.writeHead(behaviour.status, { 'content-type': 'application/json', ...behaviour.headers });
    return void res.end(behaviour.body ?? '');
  }
  if (behaviour?.kind === 'hold' && behaviour.when === 'before') await behaviour.until;
  const passed = ['content-type', 'authorization', 'accept'].filter((name) => req.headers[name] !== undefined);
  const response = await fetch(`${upstream}${req.url}`, {
    method: req.method,
    headers: Object.fromEntries(passed.map((name) => [name, String(req.headers[name])])),
    body: chunks.length > 0 ? Buffer.concat(chunks) : undefined,
    redirect: 'manual',
  });
  const body = await response.text();
  if (behaviour?.kind === 'drop_after') {
    await behaviour.until;
    return void req.socket.destroy();
  }
  if (behaviour?.kind === 'hold' && behaviour.when !== 'before') await behaviour.until;
  const type = response.headers.get('content-type');
  res.writeHead(response.status, type === null ? {} : { 'content-type': type });
  res.end(changed(body, behaviour));
}

function changed(body: string, behaviour: Misbehaviour | undefined): string {
  if (behaviour?.kind === 'truncate') return body.slice(0, body.length / 2);
  if (behaviour?.kind !== 'change') return body;
  return JSON.stringify({ ...(JSON.parse(body) as object), ...behaviour.members });
}
