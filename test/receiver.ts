import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { serve } from './outgoing.js';

export interface Received {
  readonly headers: Record<string, string>;
  readonly raw: string;
  /** As an independent implementation of Standard Webhooks verified it. */
  readonly message: { type: string; timestamp: string; data: any };
  /** The status it was answered with. */
  readonly answered: number;
}

/** Somebody's program that takes webhooks, and takes none that it cannot verify. */
export interface Receiver {
  readonly url: string;
  readonly secret: string;
  readonly received: readonly Received[];
  /** What it answers from now on. */
  answer(status: number): void;
  /** Those it took, of a type. */
  taken(type: string): Received[];
  close(): Promise<void>;
}

export const aSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

export async function aReceiver(secret = aSecret()): Promise<Receiver> {
  const received: Received[] = [];
  const webhook = new Webhook(secret);
  let status = 204;
  const server = await serve(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks).toString();
    const headers = req.headers as Record<string, string>;
    try {
      const message = webhook.verify(raw, headers) as Received['message'];
      received.push({ headers, raw, message, answered: status });
      res.writeHead(status, status >= 300 && status < 400 ? { location: '/elsewhere' } : {}).end();
    } catch {
      res.writeHead(400).end();
    }
  });
  return {
    url: `http://127.0.0.1:${server.port}/hooks`,
    secret,
    received,
    answer: (next) => (status = next),
    taken: (type) => received.filter((each) => each.answered < 300 && each.message.type === type),
    close: () => server.close(),
  };
}
