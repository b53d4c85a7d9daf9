import { Injectable } from '@nestjs/common';
import { formatScope } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import type { Client } from '../clients/client.js';
import { Clock } from '../platform/clock/clock.js';
import { Resources } from '../resources/resources.js';
import { AccessTokenReader, type IssuanceState, type TokenEnd } from './access-token-reader.js';
import { RefreshTokens } from './refresh-tokens.js';

/** RFC 7662 §2.2. Whatever the reason, an inactive token is exactly `{"active":false}`. */
export type Introspection = { active: false } | ({ active: true } & Record<string, unknown>);

/** Tells those who are entitled to know whether a token is active, and what it says (W19). */
@Injectable()
export class Introspector {
  constructor(
    private readonly accessTokens: AccessTokenReader,
    private readonly refreshTokens: RefreshTokens,
    private readonly resources: Resources,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async introspect(token: string, caller: Client): Promise<Introspection> {
    return token.startsWith('ap_rt_') ? this.#refreshToken(token, caller) : this.#accessToken(token, caller);
  }

  async #accessToken(token: string, caller: Client): Promise<Introspection> {
    const read = await this.accessTokens.read(token);
    if (!read) return this.#inactive('invalid_token', caller);
    const { claims, state, ended } = read;
    if (!(await this.#entitled(caller, state)))
      return this.#inactive('caller_not_authorized_for_token', caller, state.jti);
    if (ended) return this.#inactive(reasonOf(ended, state), caller, state.jti);
    const { scope, client_id, exp, iat, sub, aud, iss, jti, cnf, act, agent_id, agent_chain, via, idp } = claims;
    const members = {
      scope,
      client_id,
      token_type: cnf === undefined ? 'Bearer' : 'DPoP',
      exp,
      iat,
      nbf: iat,
      sub,
      aud,
      iss,
      jti,
      cnf,
      act,
      agent_id,
      agent_chain,
      via,
      idp,
    };
    return { active: true, ...members };
  }

  /** The client that the token was issued to, and those who act as the resource it is for. */
  async #entitled(caller: Client, state: IssuanceState): Promise<boolean> {
    if (state.clientId === caller.id) return true;
    if (state.resourceId === null) return false;
    const resource = (await this.resources.current()).byId(state.resourceId);
    return resource?.policy.runtime.clientIds.includes(caller.id) ?? false;
  }

  /** A refresh token concerns nobody but its own client. */
  async #refreshToken(token: string, caller: Client): Promise<Introspection> {
    const found = await this.refreshTokens.lookUp(token);
    if (!found || found.family.clientId !== caller.id) return this.#inactive('invalid_token', caller);
    const { family, live } = found;
    const now = this.clock.now();
    const ended = family.revoked ?? family.consentRevoked;
    if (!live || ended || !family.userActive || family.expiresAt <= now || family.endsAt <= now) {
      return this.#inactive('refresh_token_ended', caller);
    }
    const expiresAt = Math.min(family.expiresAt.getTime(), family.endsAt.getTime());
    return {
      active: true,
      scope: formatScope(family.scopes),
      client_id: family.clientId,
      sub: family.userId,
      exp: Math.floor(expiresAt / 1000),
      ...(family.jkt === null ? {} : { cnf: { jkt: family.jkt } }),
    };
  }

  async #inactive(reason: string, caller: Client, jti?: string): Promise<Introspection> {
    await this.audit.refused({
      action: 'token.introspect_denied',
      reason,
      clientId: caller.id,
      detail: jti ? { jti } : {},
    });
    return { active: false };
  }
}

const reasonOf = (ended: TokenEnd, state: IssuanceState): string =>
  ({
    expired: 'token_expired',
    revoked: `${state.revoked ?? 'token'}_revoked`,
    client_inactive: 'issuing_client_inactive',
    subject_inactive: 'subject_inactive',
  })[ended];
