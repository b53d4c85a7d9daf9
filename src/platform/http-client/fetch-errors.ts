/** Why a URL is not fetched, or its answer not read: asking again would not help. */
export type FetchRefusal = 'url' | 'scheme' | 'userinfo' | 'fragment' | 'host' | 'address' | 'encoding' | 'too_large';

/** Why there is no answer now; later there may be one. */
export type FetchFailure = 'timeout' | 'dns' | 'connect' | 'tls' | 'capacity' | 'circuit_open';

/** Permanent. The reason is for the operator, never for the client that chose the URL: it would tell about the network. */
export class FetchRefused extends Error {
  override readonly name = 'FetchRefused';

  constructor(readonly reason: FetchRefusal) {
    super(`the request was refused: ${reason}`);
  }
}

/** Transient. */
export class FetchFailed extends Error {
  override readonly name = 'FetchFailed';

  constructor(
    readonly reason: FetchFailure,
    cause?: unknown,
  ) {
    super(`the request failed: ${reason}`, cause === undefined ? undefined : { cause });
  }
}

/** Whether a request that failed was certainly not acted upon: it never left. A time-out or a broken connection may have come after. */
export function reachedNobody(error: FetchRefused | FetchFailed): boolean {
  if (error instanceof FetchFailed)
    return ['dns', 'capacity', 'circuit_open'].includes(error.reason) || refused(error.cause);
  return error.reason !== 'encoding' && error.reason !== 'too_large';
}

const refused = (cause: unknown): boolean =>
  cause instanceof Error &&
  'code' in cause &&
  (cause.code === 'ECONNREFUSED' || cause.code === 'UND_ERR_CONNECT_TIMEOUT');

/** Whether the other side ended the connection before its answer was whole. */
export const isHungUp = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(String(error.code));

const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/** What Node or undici threw while connecting or reading, as one of ours. */
export function toFetchError(error: unknown): FetchRefused | FetchFailed {
  if (error instanceof FetchRefused || error instanceof FetchFailed) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return new FetchRefused('too_large');
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return new FetchFailed('timeout', error);
  return new FetchFailed(tlsCodes.test(code) ? 'tls' : 'connect', error);
}
