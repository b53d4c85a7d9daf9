import type { Decision } from '../tokens/authorization.js';
import type { Audience } from './audience.js';

/** What was found may be told another authorization server, and what that stands on. */
export interface AssertionDecision extends Decision {
  readonly person: { readonly id: string; readonly version: number; readonly consentId: string };
  /** The refresh token that was shown, by its place in its family. */
  readonly family: { readonly id: string; readonly generation: number; readonly endsAt: Date };
  readonly audience: Audience;
  /** One or more of those of the audience. */
  readonly assertedResources: readonly string[];
  readonly email?: string;
  /** The key that alone may use it: that of the request's proof, put here by the endpoint. */
  readonly jkt?: string;
}

/** RFC 8693 §2.2.1: no access token, although it is in that member. */
export interface AssertionAnswer {
  readonly access_token: string;
  readonly issued_token_type: string;
  readonly token_type: 'N_A';
  readonly expires_in: number;
  /** Absent: the assertion names none. */
  readonly scope?: string;
}
