import { Injectable } from '@nestjs/common';
import { jwtType } from '#libs/oauth';
import { SigningKeys } from '../keys/signing-keys.js';
import { Clock } from '../platform/clock/clock.js';
import { isUuid } from '../platform/uuid7.js';
import { IntrospectionStore, type IssuanceState } from './introspection.store.js';

export type { IssuanceState };

/** An access token of this server: what it says, what is stored of it, and why it is over, if it is. */
export interface AccessToken {
  readonly claims: AccessTokenClaims;
  readonly state: IssuanceState;
  readonly ended?: TokenEnd;
}

export type AccessTokenClaims = { jti: string; aud: string[] } & Record<string, unknown>;

export type TokenEnd = 'expired' | 'revoked' | 'client_inactive' | 'subject_inactive';

/** How long after its end a token is still told from a forged one. Nothing but the reason given depends on it. */
const RECOGNISED_SECONDS = 24 * 60 * 60;

/** The one judgement of an access token that is shown to this server, whoever shows it and whatever for (S5). */
@Injectable()
export class AccessTokenReader {
  constructor(
    private readonly store: IntrospectionStore,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
  ) {}

  /** @returns undefined for what this server did not issue */
  async read(token: string): Promise<AccessToken | undefined> {
    const claims = toClaims(await this.keys.verifyOwn(token, jwtType.accessToken, RECOGNISED_SECONDS));
    const state = claims && (await this.store.read(claims.jti));
    return claims && state && { claims, state, ended: this.#endOf(state) };
  }

  #endOf(state: IssuanceState): TokenEnd | undefined {
    if (state.expiresAt <= this.clock.now()) return 'expired';
    if (state.revoked !== null) return 'revoked';
    if (!state.clientsActive) return 'client_inactive';
    return state.subjectActive ? undefined : 'subject_inactive';
  }
}

function toClaims(payload: Record<string, unknown> | undefined): AccessTokenClaims | undefined {
  if (!payload || typeof payload.jti !== 'string' || !isUuid(payload.jti) || !Array.isArray(payload.aud))
    return undefined;
  return payload as AccessTokenClaims;
}
