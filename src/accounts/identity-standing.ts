/** How somebody stands at the identity provider at which they last signed in. */
export interface Standing {
  readonly identityId: string;
  readonly userId: string;
  readonly issuer: string;
  readonly subject: string;
  /** Its slug. */
  readonly provider: string;
  /** null: it never said. */
  readonly groups: readonly string[] | null;
  /** When it last said that all is well. */
  readonly checkedAt: Date;
  /** When it said that it is not. */
  readonly refusedAt?: Date;
  /** Since when somebody asks it, or died at it. */
  readonly checkBeganAt?: Date;
  /** Until then it is left alone. */
  readonly checkAgainAt?: Date;
  readonly sealedRefreshToken?: string;
}

/** How somebody stands who signs in at this moment. */
export interface NewStanding {
  readonly identityId: string;
  readonly provider: string;
  readonly groups: readonly string[] | null;
  /** What the provider calls the session there. */
  readonly sessionId?: string;
  /** Whether the provider is asked again later, and a refresh token is kept for it. */
  readonly rechecks: boolean;
  readonly sealedRefreshToken?: string;
}
