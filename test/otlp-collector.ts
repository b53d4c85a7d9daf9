import type { AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** 2: server, 3: client, 5: consumer. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 2: error. */
  readonly status: number;
}

export interface CollectedLine {
  readonly millis: number;
  /** 5: debug, 9: info, 13: warn, 17: error. */
  readonly severity: number;
  readonly level: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly traceId: string;
  readonly spanId: string;
}

export interface Collector {
  /** `host:port` */
  readonly endpoint: string;
  readonly spans: CollectedSpan[];
  readonly lines: CollectedLine[];
  /** By name: the sum of all points of the last message that had it, of a histogram the number of its observations. */
  readonly metrics: Map<string, number>;
  readonly resources: Readonly<Record<string, unknown>>[];
  /** Everything that ever came, as text: to look for what must not be in it. */
  readonly raw: Buffer[];
  close(): Promise<void>;
}

/** What an OpenTelemetry collector takes of OTLP over HTTP with protobuf. */
export async function startCollector(): Promise<Collector> {
  const collected = {
    spans: [] as CollectedSpan[],
    lines: [] as CollectedLine[],
    metrics: new Map<string, number>(),
    resources: [] as Record<string, unknown>[],
    raw: [] as Buffer[],
  };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const sent = Buffer.concat(chunks);
      const body = req.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      collected.raw.push(body);
      for (const group of read(body).messages(1)) {
        collected.resources.push(...group.messages(1).map((resource) => attributesOf(resource)));
        const items = group.messages(2).flatMap((scope) => scope.messages(2));
        if (req.url === '/v1/traces') collected.spans.push(...items.map(spanOf));
        if (req.url === '/v1/logs') collected.lines.push(...items.map(lineOf));
        if (req.url === '/v1/metrics') for (const item of items) collected.metrics.set(item.text(1), valueOf(item));
      }
      res.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return { endpoint: `127.0.0.1:${port}`, ...collected, close };
}

/** opentelemetry/proto/trace/v1/trace.proto */
const spanOf = (span: Message): CollectedSpan => ({
  traceId: span.hex(1),
  spanId: span.hex(2),
  parentSpanId: span.hex(4),
  name: span.text(5),
  kind: span.number(6),
  attributes: attributesOf(span, 9),
  links: span.messages(13).map((link) => ({ traceId: link.hex(1), spanId: link.hex(2) })),
  status: span.messages(15)[0]?.number(3) ?? 0,
});

/** opentelemetry/proto/logs/v1/logs.proto */
const lineOf = (record: Message): CollectedLine => ({
  millis: Number(record.fixed64(1) / 1_000_000n),
  severity: record.number(2),
  level: record.text(3),
  body: record.messages(5)[0]?.text(1) ?? '',
  attributes: attributesOf(record, 6),
  traceId: record.hex(9),
  spanId: record.hex(10),
});

/** opentelemetry/proto/metrics/v1/metrics.proto: 5 gauge, 7 sum, 9 histogram */
function valueOf(metric: Message): number {
  const points = [5, 7].flatMap((kind) => metric.messages(kind)).flatMap((data) => data.messages(1));
  const histograms = metric.messages(9).flatMap((data) => data.messages(1));
  const values = [...points.map((point) => point.double(4)), ...histograms.map((point) => point.fixed(4))];
  return values.reduce((sum, value) => sum + value, 0);
}

/** opentelemetry/proto/common/v1/common.proto: KeyValue, AnyValue */
const attributesOf = (message: Message, field = 1): Record<string, unknown> =>
  Object.fromEntries(
    message.messages(field).map((pair) => {
      const [value] = pair.messages(2);
      return [pair.text(1), value?.has(1) ? value.text(1) : (value?.number(3) ?? 0)];
    }),
  );

/** The wire format of protobuf, as far as it is needed here. */
class Message {
  readonly #fields = new Map<number, (Buffer | bigint)[]>();

  add(field: number, value: Buffer | bigint): void {
    this.#fields.set(field, [...(this.#fields.get(field) ?? []), value]);
  }

  has = (field: number): boolean => this.#fields.has(field);
  text = (field: number): string => this.#bytes(field).toString();
  hex = (field: number): string => this.#bytes(field).toString('hex');
  number = (field: number): number => Number(this.#fields.get(field)?.[0] ?? 0);
  double = (field: number): number => (this.has(field) ? this.#bytes(field).readDoubleLE() : 0);
  fixed = (field: number): number => Number(this.fixed64(field));
  fixed64 = (field: number): bigint => (this.has(field) ? this.#bytes(field).readBigUInt64LE() : 0n);
  messages = (field: number): Message[] => (this.#fields.get(field) ?? []).map((bytes) => read(bytes as Buffer));

  #bytes(field: number): Buffer {
    const value = this.#fields.get(field)?.[0];
    return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
  }
}

function read(bytes: Buffer): Message {
  const message = new Message();
  let at = 0;
  const varint = (): bigint => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = BigInt(bytes[at++] ?? 0);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
      shift += 7n;
    }
  };
  const take = (length: number): Buffer => bytes.subarray(at, (at += length));
  while (at < bytes.length) {
    const tag = Number(varint());
    const kind = tag & 7;
    message.add(tag >> 3, kind === 0 ? varint() : take(kind === 1 ? 8 : kind === 5 ? 4 : Number(varint())));
  }
  return message;
}
