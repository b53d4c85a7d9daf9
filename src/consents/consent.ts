/** What a person allowed a client at one resource. Never edited: allowing again makes a new one and supersedes the former (W18). */
export interface Consent {
  readonly id: string;
  readonly userId: string;
  readonly clientId: string;
  readonly resourceId: string;
  readonly scopes: readonly string[];
  /** Where codes under it may go without the person being asked again (W17). */
  readonly redirectUris: readonly string[];
  readonly createdAt: Date;
  readonly supersededAt?: Date;
  readonly revokedAt?: Date;
}

/** A consent as a person sees it among the connected apps. */
export interface ConnectedApp {
  readonly id: string;
  readonly clientId: string;
  readonly clientName: string;
  readonly resourceId: string;
  readonly resourceName: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly lastUsedAt?: Date;
}
