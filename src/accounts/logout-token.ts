import { Injectable } from '@nestjs/common';
import { compactVerify, errors } from 'jose';
import { isShortText, isTime, mediaType, readJws } from '#libs/jwt';
import { OAuthError, type ReasonOf } from '#libs/oauth';
import { Clock } from '../platform/clock/clock.js';
import type { IdentityProvider } from './identity-provider.js';
import { OidcClient } from './oidc-client.js';
import { signInErrorOf } from './oidc-errors.js';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const TYPES: readonly (string | undefined)[] = [undefined, 'jwt', 'logout+jwt'];
/** With a key that everybody may know, none of these can be forged. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const MAX_LENGTH = 16 * 1024;
const MAX_AGE_SECONDS = 5 * 60;
const MAX_AHEAD_SECONDS = 60;

/** Whom a provider signed out. */
export interface Logout {
  /** A session there; absent: all of the person. */
  readonly sessionId?: string;
  readonly subject?: string;
  readonly jti: string;
  /** From then on its age alone refuses the token. */
  readonly refusedFrom: Date;
}

/** Reads what a provider sends to the back channel (OpenID Connect Back-Channel Logout 1.0 §2.6). */
@Injectable()
export class LogoutTokens {
  constructor(
    private readonly client: OidcClient,
    private readonly clock: Clock,
  ) {}

  /**
   * Everything but whether it was used before.
   *
   * @throws OAuthError `logout-token-invalid`; `sign-in-upstream-away`, `sign-in-misconfigured` when its keys are not to be had
   */
  async read(provider: IdentityProvider, token: string): Promise<Logout> {
    const jws = readJws(token, MAX_LENGTH);
    const refuse = (reason: ReasonOf<'logout-token-invalid'>): OAuthError =>
      new OAuthError('logout-token-invalid', reason, { facts: { provider: provider.slug } });
    if (!jws || !TYPES.includes('typ' in jws.header ? (mediaType(jws.header['typ']) ?? '') : undefined))
      throw refuse('logout_token_malformed');
    await this.#verify(provider, token, refuse);
    const { iss, aud, iat, exp, nonce, events, sub, sid, jti } = jws.payload;
    if (iss !== provider.issuer) throw refuse('logout_token_issuer');
    if (!(Array.isArray(aud) ? aud : [aud]).includes(provider.clientId)) throw refuse('logout_token_audience');
    const now = this.clock.now().getTime() / 1000;
    if (!isTime(iat) || !isTime(exp) || exp <= now || iat > now + MAX_AHEAD_SECONDS || iat <= now - MAX_AGE_SECONDS)
      throw refuse('logout_token_time');
    if (!isObject(events) || !isObject(events[EVENT])) throw refuse('logout_token_event');
    if (nonce !== undefined) throw refuse('logout_token_nonce');
    if ((sub === undefined && sid === undefined) || !isAbsentOrText(sub) || !isAbsentOrText(sid))
      throw refuse('logout_token_subject');
    if (!isShortText(jti)) throw refuse('logout_token_jti');
    return { subject: sub, sessionId: sid, jti, refusedFrom: new Date((iat + MAX_AGE_SECONDS) * 1000) };
  }

  async #verify(
    provider: IdentityProvider,
    token: string,
    refuse: (reason: 'logout_token_signature') => OAuthError,
  ): Promise<void> {
    try {
      await compactVerify(token, await this.client.keysOf(provider), { algorithms: ALGORITHMS });
    } catch (error) {
      if (OF_THE_TOKEN.some((kind) => error instanceof kind)) throw refuse('logout_token_signature');
      throw signInErrorOf(error, provider.slug, 'discovery');
    }
  }
}

/** What says that the token is wrong, and not that the keys are not to be had. */
const OF_THE_TOKEN = [
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isAbsentOrText = (value: unknown): value is string | undefined => value === undefined || isShortText(value);
