/** Upstream did not answer as it should: a time-out, 429, 5xx, nonsense. Asking later may help; nothing is disconnected for it. */
export class UpstreamAway extends Error {
  override readonly name = 'UpstreamAway';

  /**
   * @param outcomeUnknown upstream may have acted on the request: a rotating credential may be spent
   * @param retryAfterSeconds as upstream asks for, bounded
   */
  constructor(
    readonly why: 'timeout' | 'unreachable' | 'rate_limited' | 'server_error' | 'nonsense',
    readonly outcomeUnknown: boolean,
    readonly retryAfterSeconds?: number,
    cause?: unknown,
  ) {
    super(`upstream is away: ${why}`, cause === undefined ? undefined : { cause });
  }
}

/** Upstream refuses the person's credential or code for good (`invalid_grant`). */
export class UpstreamRefused extends Error {
  override readonly name = 'UpstreamRefused';

  /** @param code upstream's error code, of the characters RFC 6749 allows and at most 64 of them */
  constructor(readonly code: string) {
    super(`upstream refused the credential: ${code}`);
  }
}

/** Upstream refuses us: a wrong client secret, a scope it does not know. The operator must act; the person cannot. */
export class UpstreamMisconfigured extends Error {
  override readonly name = 'UpstreamMisconfigured';

  /** @param outcomeUnknown as in `UpstreamAway` */
  constructor(
    readonly code: string,
    readonly outcomeUnknown = false,
  ) {
    super(`upstream refuses this server: ${code}`);
  }
}

/** The callback does not come from the provider that the person was sent to (RFC 9207, mix-up). Nothing was asked of upstream. */
export class CallbackFromElsewhere extends Error {
  override readonly name = 'CallbackFromElsewhere';

  constructor() {
    super('the issuer of the callback is not the one of the provider');
  }
}
