/** An access token of upstream's, ready to be handed out. */
export interface UpstreamAccess {
  readonly accessToken: string;
  /** Absent: upstream does not say. */
  readonly expiresAt?: Date;
  /** What it is good for, in upstream's words. */
  readonly scopes: readonly string[];
  /** Whether it was there already. */
  readonly cached: boolean;
}
