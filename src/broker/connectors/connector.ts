import type { Protocol, Provider } from '../provider.js';
import type { SecretAtHand, SecretPlace } from '../secret-place.js';

/** How long a refresh may take, all that is asked for it together. */
export const LONGEST_REFRESH_MILLIS = 30_000;

/** What is kept sealed of an account: whatever its connector needs to get access tokens. It never leaves the vault. */
export interface Credential {
  readonly refreshToken?: string;
  /** Where the access token is all there is: it cannot be refreshed. */
  readonly accessToken?: string;
  /** When that one ends, in ISO 8601; absent: upstream names no end. */
  readonly expiresAt?: string;
}

/** An access token as upstream gave it. */
export interface UpstreamToken {
  readonly accessToken: string;
  /** Absent: upstream does not say; it is not kept then, unless it is the credential itself. */
  readonly expiresInSeconds?: number;
  /** Upstream's words; absent: those asked for or granted before. */
  readonly scopes?: readonly string[];
  /** Present: upstream gave a new credential, and the former one may be spent. */
  readonly credential?: Credential;
}

/** An account as it was just connected. */
export interface ConnectedAccount extends UpstreamToken {
  readonly credential: Credential;
  readonly scopes: readonly string[];
  /** A login or an e-mail address, when upstream tells. */
  readonly account?: string;
}

export interface ConnectRequest {
  readonly state: string;
  /** S256. */
  readonly codeChallenge: string;
  readonly redirectUri: string;
  /** Upstream's words. */
  readonly scopes: readonly string[];
}

export interface ConnectCallback {
  readonly code: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  /** `iss` of the callback (RFC 9207), when there was one. */
  readonly issuer?: string;
  /** What was asked for. */
  readonly scopes: readonly string[];
}

/** How upstream is told that a credential is over. */
export interface Revocation {
  /** The person has connected again: no more than this credential ends, where upstream can be told that. */
  readonly spare?: boolean;
  /** Upstream gave another credential in exchange on the way: it is kept before anything else is asked. */
  keep?(credential: Credential): Promise<void>;
}

/** What others must know of a provider. */
export interface Traits {
  /** Whether an access token may be kept, sealed, until shortly before it expires. */
  readonly cacheAccessTokens: boolean;
  /** Whether a refresh may ask for fewer scopes; else every token has all that the connection has (W45). */
  readonly downscope: boolean;
  /** Where the person's browser is sent. Only when `connects`. */
  readonly host?: string;
  /** The operator's credential gives tokens in the name of a person, whose e-mail address it must be told: no two share them. */
  readonly speaksForPeople?: boolean;
}

/**
 * One protocol by which upstream credentials are had. A connector knows nothing of people, rows and locks; it is given values and
 * speaks with upstream.
 *
 * Every method that speaks with upstream throws UpstreamAway, UpstreamRefused or UpstreamMisconfigured (`upstream-errors.ts`).
 */
export abstract class Connector {
  abstract readonly protocol: Protocol;

  /** Whether each person connects an account of their own; otherwise the operator's credential serves everybody. */
  abstract readonly connects: boolean;

  /** The member of `config_data` that may hold a secret itself: it is taken out, and sealed apart. */
  abstract readonly inlineSecret: string;

  /**
   * Checks `config_data` before it is stored.
   *
   * @throws ProviderConfigWrong naming the member and what is allowed
   */
  abstract check(configData: string, secret: SecretAtHand): SecretPlace;

  /**
   * Checks a secret that `config_data` passed the check with. Most are words of upstream's, of which nothing can be said here.
   *
   * @throws ProviderConfigWrong, without anything of the secret
   */
  checkSecret?(provider: Provider, secret: string): Promise<void>;

  abstract traits(provider: Provider): Traits;

  /** Where the person's browser goes to allow it. Only when `connects`. */
  abstract connectUrl(provider: Provider, request: ConnectRequest): Promise<string>;

  /** Redeems upstream's code. Only when `connects`. @throws CallbackFromElsewhere too; `refresh_token_missing` as UpstreamMisconfigured */
  abstract finish(provider: Provider, callback: ConnectCallback): Promise<ConnectedAccount>;

  /**
   * Gets an access token. Where upstream may replace the credential its answer is waited for as long as `LONGEST_REFRESH_MILLIS`: one
   * that is not waited for costs the person the connection.
   *
   * @param credential the person's; absent when the operator's serves everybody
   * @param scopes upstream's words
   * @param email the person's, for an operator's credential that may speak for people
   */
  abstract vend(
    provider: Provider,
    credential: Credential | undefined,
    scopes: readonly string[],
    email?: string,
  ): Promise<UpstreamToken>;

  /** Tells upstream that the credential is no longer wanted. Returns without asking where upstream has no way to be told. */
  abstract revoke(provider: Provider, credential: Credential, how?: Revocation): Promise<void>;
}
