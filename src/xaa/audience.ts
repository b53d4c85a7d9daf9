/** Another authorization server for which a client of ours may have identity assertions that we issue (W46). */
export interface Audience {
  readonly id: string;
  /** Its issuer, compared byte for byte; the assertion's `aud`. */
  readonly audience: string;
  /** Our client. */
  readonly clientId: string;
  /** Who our client is there. */
  readonly audienceClientId: string;
  /** Never empty: a request that names none gets an assertion for these. */
  readonly resources: readonly string[];
  /** At most these. Empty: the assertion names no scope. */
  readonly scopes: readonly string[];
  /** Whether it learns the e-mail address of people. */
  readonly includeEmail: boolean;
  readonly enabled: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}
