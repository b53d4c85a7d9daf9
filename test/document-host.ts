import { serve } from './outgoing.js';

export interface DocumentAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Members that differ from those of a good document. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Sent as it is, in place of a document. */
  readonly body?: string;
  /** The connection is cut instead. */
  readonly away?: boolean;
  /** Answers only when this has come true. */
  readonly after?: Promise<unknown>;
}

export interface DocumentHost {
  readonly origin: string;
  /** The paths that were asked for. */
  readonly hits: string[];
  /** From now on answers so at `path`. @returns the URL, which is the client's id */
  put(path: string, answer?: DocumentAnswer): string;
  close(): Promise<void>;
}

export const DESK_REDIRECT = 'http://127.0.0.1/callback';

/** A web host with metadata documents on it. */
export async function documentHost(): Promise<DocumentHost> {
  const answers = new Map<string, DocumentAnswer>();
  const server = await serve(async (req, res) => {
    const answer = answers.get(req.url ?? '') ?? { status: 404 };
    await answer.after;
    if (answer.away) return void req.socket.destroy();
    const document = {
      client_id: `${origin}${req.url}`,
      client_name: 'Desk',
      redirect_uris: [DESK_REDIRECT],
      ...answer.members,
    };
    res.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
    res.end(answer.body ?? JSON.stringify(document));
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    origin,
    hits: server.hits,
    put: (path, answer = {}) => {
      answers.set(path, answer);
      return `${origin}${path}`;
    },
    close: () => server.close(),
  };
}

/** Settings under which documents may lie on this machine. */
export const documentsFromHere = { CIMD_REQUIRE_HTTPS: 'false', CIMD_ALLOW_PRIVATE_ADDRESSES: 'true' };
