import { Injectable } from '@nestjs/common';
import { formatScope, OAuthError, tokenType } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { AccessTokenSigner } from './access-token-signer.js';
import type { Authorization, PresentedAssertion, SpentCode, SpentRefreshToken, TokenAnswer } from './authorization.js';
import { RefreshTokens } from './refresh-tokens.js';
import { exchangeDetail } from './exchange-detail.js';
import { decidedOn, type IssuanceRow } from './token-rows.js';
import { TokenStore } from './token.store.js';

/** Signs, then spends and stores in one commit, then answers: nothing is half-issued, nothing is spent for nothing. */
@Injectable()
export class TokenIssuer {
  constructor(
    private readonly store: TokenStore,
    private readonly refreshTokens: RefreshTokens,
    private readonly signer: AccessTokenSigner,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** @returns the answer, or undefined when what was decided no longer holds and must be decided again */
  async issue(authorization: Authorization): Promise<TokenAnswer | undefined> {
    const now = this.clock.now();
    const { spends, assertion } = authorization;
    const { jwt, issuance } = await this.signer.sign(authorization, now);
    const answer: TokenAnswer = {
      access_token: jwt,
      token_type: authorization.jkt ? 'DPoP' : 'Bearer',
      expires_in: (issuance.expiresAt.getTime() - issuance.issuedAt.getTime()) / 1000,
      scope: formatScope(authorization.scopes),
    };
    if (authorization.derivation) {
      return this.#exchange(authorization, { ...answer, issued_token_type: tokenType.accessToken }, issuance);
    }
    if (assertion) return this.#assert(authorization, assertion, answer, issuance, now);
    if (!spends) return this.#mint(authorization, answer, issuance);
    return spends.kind === 'code'
      ? this.#startFamily(authorization, spends, answer, issuance, now)
      : this.#rotate(authorization, spends, answer, issuance, now);
  }

  /** As `#mint`; its fact tells of both tokens and of everybody in between. */
  async #exchange(
    authorization: Authorization,
    answer: TokenAnswer,
    issuance: IssuanceRow,
  ): Promise<TokenAnswer | undefined> {
    const { client, person } = authorization;
    const detail = { ...exchangeDetail(authorization, issuance), type: 'mint_dispatch' };
    const fact = { action: 'token.exchanged', actorId: person?.id, clientId: client.id, detail };
    const stored = await this.store.insertIssuance(decidedOn(authorization), issuance, this.audit.rows(fact));
    return stored ? answer : undefined;
  }

  /** Nothing is spent: the rows go with those of other requests, in one insert and one commit (S1, S2). */
  async #mint(
    authorization: Authorization,
    answer: TokenAnswer,
    issuance: IssuanceRow,
  ): Promise<TokenAnswer | undefined> {
    const audit = this.#audit(`${authorization.grantType}.issued`, authorization, issuance);
    return (await this.store.insertIssuance(decidedOn(authorization), issuance, audit)) ? answer : undefined;
  }

  /** Its fact tells which policy allowed it, and whether the assertion may come again (W24). */
  async #assert(
    authorization: Authorization,
    assertion: PresentedAssertion,
    answer: TokenAnswer,
    issuance: IssuanceRow,
    now: Date,
  ): Promise<TokenAnswer | undefined> {
    const { client, person, resource, scopes } = authorization;
    const { issuer: idp, jti, policies, replay, act } = assertion;
    const detail = { jti: issuance.jti, sub: issuance.subject, resource: resource?.slug, scopes, idp, policies, act };
    const fact = { ...detail, assertion: jti, replay };
    const audit = this.audit.rows({
      action: 'jwt_bearer.issued',
      actorId: person?.id,
      clientId: client.id,
      detail: fact,
    });
    const outcome = await this.store.spendAssertion(decidedOn(authorization), now, assertion, issuance, audit);
    if (outcome === 'replayed') {
      const facts = { clientId: client.id, idp, assertion: jti, policies };
      throw new OAuthError('assertion-invalid', 'assertion_replayed', { facts });
    }
    return outcome === 'stored' ? answer : undefined;
  }

  async #startFamily(
    authorization: Authorization,
    code: SpentCode,
    answer: TokenAnswer,
    issuance: IssuanceRow,
    now: Date,
  ): Promise<TokenAnswer | undefined> {
    const { client } = authorization;
    const token = client.grantTypes.includes('refresh_token') ? this.refreshTokens.create(code.familyId, 1) : undefined;
    const jkt = familyKey(authorization);
    const family = token && { id: code.familyId, liveHash: token.hash, ...this.#lifetimes(client, now), jkt };
    const audit = this.#audit('token.issued', authorization, issuance);
    const spent = await this.store.spendCode(decidedOn(authorization), now, code, issuance, family, audit);
    return spent ? { ...answer, ...(token ? { refresh_token: token.value } : {}) } : undefined;
  }

  async #rotate(
    authorization: Authorization,
    spent: SpentRefreshToken,
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
      jkt: familyKey(authorization),
    };
    const audit = this.#audit('token.refreshed', authorization, issuance);
    return (await this.store.rotateFamily(decidedOn(authorization), now, turn, issuance, audit)) ? full : undefined;
  }

  /** Sliding and absolute end of a family (W14). */
  #lifetimes(client: Authorization['client'], now: Date): { expiresAt: Date; endsAt: Date } {
    const sliding = client.refreshTokenTtlSeconds ?? this.config.dcr.defaultRefreshExpirySeconds;
    const absolute = client.refreshMaxLifetimeSeconds ?? this.config.oauth.refreshMaxLifetimeSeconds;
    const after = (seconds: number): Date => new Date(now.getTime() + seconds * 1000);
    return { expiresAt: earlier(after(sliding), after(absolute)), endsAt: after(absolute) };
  }

  #audit(action: string, { client, person, resource, scopes, spends }: Authorization, { jti }: IssuanceRow): string {
    return this.audit.rows({
      action,
      actorId: person?.id,
      clientId: client.id,
      detail: { jti, family: spends?.familyId, consent: person?.consentId, resource: resource?.slug, scopes },
    });
  }
}

/** RFC 9449 §5: the refresh tokens of a confidential client are bound by its authentication, those of a public one by its key. */
const familyKey = ({ client, jkt }: Authorization): string | undefined =>
  client.tokenEndpointAuthMethod === 'none' ? jkt : undefined;

const earlier = (a: Date, b: Date): Date => (a < b ? a : b);
