import { Injectable } from '@nestjs/common';
import { formatScope } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { SigningKeys } from '../keys/signing-keys.js';
import { Clock } from '../platform/clock/clock.js';
import { uuid7 } from '../platform/uuid7.js';
import type { Authorization, TokenAnswer } from './authorization.js';
import { RefreshTokens } from './refresh-tokens.js';
import { TokenStore, type DecidedOn } from './token.store.js';
import type { IssuanceRow } from './token-rows.js';

/** Signs, then spends and stores in one commit, then answers: nothing is half-issued, nothing is spent for nothing. */
@Injectable()
export class TokenIssuer {
  constructor(
    private readonly store: TokenStore,
    private readonly refreshTokens: RefreshTokens,
    private readonly keys: SigningKeys,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** @returns the answer, or undefined when what was decided no longer holds and must be decided again */
  async issue(authorization: Authorization): Promise<TokenAnswer | undefined> {
    const now = this.clock.now();
    const { spends } = authorization;
    const { jwt, issuance } = await this.#sign(authorization, now);
    const answer: TokenAnswer = {
      access_token: jwt,
      token_type: 'Bearer',
      expires_in: (issuance.expiresAt.getTime() - issuance.issuedAt.getTime()) / 1000,
      scope: formatScope(authorization.scopes),
    };
    return spends.kind === 'code'
      ? this.#startFamily(authorization, spends, answer, issuance, now)
      : this.#rotate(authorization, spends, answer, issuance, now);
  }

  async #startFamily(
    authorization: Authorization,
    code: Authorization['spends'] & { kind: 'code' },
    answer: TokenAnswer,
    issuance: IssuanceRow,
    now: Date,
  ): Promise<TokenAnswer | undefined> {
    const { client } = authorization;
    const token = client.grantTypes.includes('refresh_token') ? this.refreshTokens.create(code.familyId, 1) : undefined;
    const family = token && { id: code.familyId, liveHash: token.hash, ...this.#lifetimes(client, now) };
    const audit = this.#audit('token.issued', authorization, issuance);
    const spent = await this.store.spendCode(decidedOn(authorization), now, code, issuance, family, audit);
    return spent ? { ...answer, ...(token ? { refresh_token: token.value } : {}) } : undefined;
  }

  async #rotate(
    authorization: Authorization,
    spent: Authorization['spends'] & { kind: 'refresh_token' },
    answer: TokenAnswer,
    issuance: IssuanceRow,
    now: Date,
  ): Promise<TokenAnswer | undefined> {
    const { client } = authorization;
    const token = this.refreshTokens.create(spent.familyId, spent.generation + 1);
    const full: TokenAnswer = { ...answer, refresh_token: token.value };
    const turn = {
      id: spent.familyId,
      presentedHash: spent.hash,
      liveHash: token.hash,
      expiresAt: earlier(this.#lifetimes(client, now).expiresAt, spent.endsAt),
      sealedAnswer: this.refreshTokens.sealAnswer(spent.value, client, full, issuance.expiresAt, spent.request),
    };
    const audit = this.#audit('token.refreshed', authorization, issuance);
    return (await this.store.rotateFamily(decidedOn(authorization), now, turn, issuance, audit)) ? full : undefined;
  }

  /** RFC 9068: an access token for one resource. */
  async #sign(authorization: Authorization, now: Date): Promise<{ jwt: string; issuance: IssuanceRow }> {
    const { client, user, resource, scopes } = authorization;
    const issuedAt = Math.floor(now.getTime() / 1000);
    const expiresAt = issuedAt + this.#accessTokenTtlSeconds(authorization);
    const jti = uuid7(now);
    const agentId = client.agentConfirmed ? client.id : undefined;
    const claims = {
      iss: this.config.server.issuer,
      sub: user.id,
      aud: [resource.uri],
      exp: expiresAt,
      iat: issuedAt,
      jti,
      client_id: client.id,
      scope: formatScope(scopes),
      ...(agentId ? { agent_id: agentId } : {}),
    };
    const { jwt, kid } = await this.keys.sign({ typ: 'at+jwt' }, claims);
    const issuance: IssuanceRow = {
      jti,
      grantType: authorization.grantType,
      clientId: client.id,
      subject: user.id,
      userId: user.id,
      resourceId: resource.id,
      audience: resource.uri,
      scopes,
      kid,
      familyId: authorization.spends.familyId,
      consentId: authorization.consentId,
      consentClientId: client.id,
      agentId: agentId ?? null,
      issuedAt: new Date(issuedAt * 1000),
      expiresAt: new Date(expiresAt * 1000),
    };
    return { jwt, issuance };
  }

  /** The resource's and the client's own limits, where set; the shorter wins (W53). */
  #accessTokenTtlSeconds({ client, resource }: Authorization): number {
    const own = [client.accessTokenTtlSeconds, resource.accessTokenTtlSeconds].filter((ttl) => ttl !== undefined);
    return own.length > 0 ? Math.min(...own) : this.config.dcr.defaultTokenExpirySeconds;
  }

  /** Sliding and absolute end of a family (W14). */
  #lifetimes(client: Authorization['client'], now: Date): { expiresAt: Date; endsAt: Date } {
    const sliding = client.refreshTokenTtlSeconds ?? this.config.dcr.defaultRefreshExpirySeconds;
    const absolute = client.refreshMaxLifetimeSeconds ?? this.config.oauth.refreshMaxLifetimeSeconds;
    const after = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
    return { expiresAt: earlier(after(sliding), after(absolute)), endsAt: after(absolute) };
  }

  #audit(
    action: string,
    { client, user, resource, scopes, consentId, spends }: Authorization,
    { jti }: IssuanceRow,
  ): string {
    return this.audit.rows({
      action,
      actorId: user.id,
      clientId: client.id,
      detail: { jti, family: spends.familyId, consent: consentId, resource: resource.slug, scopes },
    });
  }
}

const decidedOn = ({ policyEpoch, client, user }: Authorization): DecidedOn => ({
  policyEpoch,
  clientId: client.id,
  clientVersion: client.version,
  userId: user.id,
  userVersion: user.version,
});

const earlier = (a: Date, b: Date): Date => (a < b ? a : b);
