import type { Client } from '../clients/client.js';
import type { Audience } from '../resources/resource.js';

/**
 * Who may have what, and on what grounds: a plain value, decided by reading only. The versions are those it was decided on; the
 * statement that stores the token verifies them (S6).
 */
export interface Decision {
  readonly grantType: string;
  readonly client: Client;
  /** The person on whose behalf, and the consent that allows it; absent when the token is about the client itself. */
  readonly person?: { readonly id: string; readonly version: number; readonly consentId?: string };
  /** Absent: no resource was named, and the token is for nobody but this server. */
  readonly resource?: Audience;
  readonly policyEpoch: number;
  readonly scopes: readonly string[];
  /** Present: the token is made from another (RFC 8693), and stands on it. */
  readonly derivation?: Derivation;
}

/** What a grant found may be issued by this server, and what issuing it spends. */
export interface Authorization extends Decision {
  /** The key that the token is bound to: that of the request's proof, put here by the endpoint (RFC 9449 §6). */
  readonly jkt?: string;
  /** Absent: nothing is spent, and the rows may share a commit with their neighbours (S1). */
  readonly spends?: SpentCode | SpentRefreshToken;
  /** Present: an assertion of somebody else's was given for the token (RFC 7523 §2.1). */
  readonly assertion?: PresentedAssertion;
}

/** The assertion that a token was given for, and what it leaves behind. */
export interface PresentedAssertion {
  readonly issuer: string;
  readonly jti?: string;
  /** Who acts, in the words of the issuer (W7). */
  readonly act?: Actor;
  /** Names of the policies that allow it. */
  readonly policies: readonly string[];
  readonly replay: string;
  /** Stands for it where it works once. */
  readonly key?: Buffer;
  readonly keptUntil?: Date;
}

/** What a token has from the one it was exchanged for. */
export interface Derivation {
  readonly parentJti: string;
  /** The parent, after all that the parent stands on. */
  readonly ancestors: readonly string[];
  readonly familyId: string | null;
  /** Where the chain began: the client that the person allowed, or the machine. */
  readonly originClientId: string;
  readonly subjectClientId: string;
  readonly subject: string;
  /** When the parent ends; nothing made of it lives longer. */
  readonly expiresAt: Date;
  readonly kind: 'self' | 'direct' | 'fronted';
  readonly chain: ActorChain;
  /** The fronting link it came over, as `source>target`. */
  readonly via?: string;
}

/** Who acts for the subject (RFC 8693 §4.1), outermost the one who acts now. Members that we do not know pass through unchanged. */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
  readonly [member: string]: unknown;
}

export interface ActorChain {
  readonly act?: Actor;
  /** Ids of clients, the first one first; empty while nobody but the first acts. */
  readonly agentChain: readonly string[];
}

export interface SpentCode {
  readonly kind: 'code';
  readonly id: string;
  readonly hash: Buffer;
  /** Chosen when the code was made, so that a replay can end the family before it is there (W15). */
  readonly familyId: string;
}

export interface SpentRefreshToken {
  readonly kind: 'refresh_token';
  readonly familyId: string;
  readonly generation: number;
  readonly hash: Buffer;
  /** The presented token: the key that seals its answer, should it have to be repeated (W13). */
  readonly value: string;
  readonly endsAt: Date;
  readonly request: RefreshRequest;
}

/** What a refresh asked for, as sent: a repetition must ask for the same. */
export interface RefreshRequest {
  readonly scope?: string;
  readonly resource?: string;
  /** The key of its proof. */
  readonly jkt?: string;
}

/** RFC 6749 §5.1, always with `scope`. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer' | 'DPoP';
  /** Absent only in the answer with an upstream's token whose end upstream does not tell. */
  readonly expires_in?: number;
  readonly scope: string;
  readonly refresh_token?: string;
  /** RFC 8693 §2.2.1 */
  readonly issued_token_type?: string;
}

/** An answer that was given before and is given again (W13). */
export interface RepeatedAnswer {
  readonly repeated: TokenAnswer;
}
