/**
 * Remembers what may be used once: the identifiers of DPoP proofs.
 *
 * Claim first, then ask `forgotAt`: a store that came back empty before or between the two then tells that it forgot.
 */
export abstract class ReplayStore {
  /**
   * True exactly once per key until `expiresAt`, whoever asks and in whichever process.
   *
   * @param key a hash: it is stored as it is
   * @throws OAuthError `try-again` (503) or DatabaseAway when it cannot be known; the caller must refuse then
   */
  abstract claim(key: Buffer, expiresAt: Date): Promise<boolean>;

  /**
   * When claims may last have been lost (a restart, a failover or an emptying of Redis), in this or another process.
   *
   * @returns undefined if never
   * @throws as `claim`
   */
  abstract forgotAt(): Promise<Date | undefined>;

  /** Drops claims that have expired. @returns how many */
  abstract sweep(now: Date): Promise<number>;
}
