import { Injectable } from '@nestjs/common';
import { OAuthError, parseScope, RefreshTokenFormat, sameBytes } from '#libs/oauth';
import { deriveKey, open, seal, SealBroken } from '#libs/vault';
import { GroupScopes } from '../accounts/group-scopes.js';
import { AuditLog } from '../audit/audit-log.js';
import type { Client } from '../clients/client.js';
import { Config } from '../config/config.js';
import { requireKey } from '../dpop/dpop-verifier.js';
import { Clock } from '../platform/clock/clock.js';
import type { RefreshRequest, RepeatedAnswer, TokenAnswer } from './authorization.js';
import { TokenRevoker } from './token-revoker.js';
import { TokenStore } from './token.store.js';
import type { FamilyRow } from './token-rows.js';

/** The live token of a family, as presented. */
export type PresentedRefreshToken = FamilyRow & { readonly hash: Buffer };

interface SealedAnswer {
  answer: TokenAnswer;
  expiresAt: string;
  request: RefreshRequest;
}

/**
 * Refresh tokens and the one row that stands for each chain of them (S4). A token is live while its hash is the row's; one that is
 * genuine but no longer live was spent, and whoever presents it has stolen it or lost count.
 */
@Injectable()
export class RefreshTokens {
  readonly #format: RefreshTokenFormat;

  constructor(
    private readonly store: TokenStore,
    private readonly revoker: TokenRevoker,
    private readonly groups: GroupScopes,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {
    this.#format = new RefreshTokenFormat(deriveKey(config.session.secret, 'refresh-token'));
  }

  create(familyId: string, generation: number): { value: string; hash: Buffer } {
    return this.#format.create(familyId, generation);
  }

  /**
   * The family whose live token `client` presents, or the answer that a lost response is owed.
   *
   * @throws OAuthError `family-revoked`, `refresh-invalid`; `dpop-required`, `key-mismatch` for a bound family and a request without
   *   its key; or `refresh-reused` after the family was revoked
   */
  async present(
    value: string,
    client: Client,
    request: RefreshRequest,
  ): Promise<PresentedRefreshToken | RepeatedAnswer> {
    const { family, hash, genuine } = await this.#find(value, client.id);
    const facts = { clientId: client.id, owner: family.clientId, family: family.id };
    if (family.clientId !== client.id) throw new OAuthError('refresh-invalid', 'refresh_of_another_client', { facts });
    const live = sameBytes(family.liveHash, hash);
    if (!live && !genuine) throw new OAuthError('refresh-invalid', 'refresh_unknown', { facts });
    if (family.revoked === 'reuse_detection') throw new OAuthError('family-revoked', 'family_revoked', { facts });
    if (family.revoked !== null) throw new OAuthError('refresh-invalid', 'family_ended', { facts });
    if (!live) refuseStranger(family, request, facts);
    if (!live) return (await this.#repeat(value, family, client, hash, request)) ?? this.#reused(family, client);
    const now = this.clock.now();
    if (family.expiresAt <= now || family.endsAt <= now)
      throw new OAuthError('refresh-invalid', 'refresh_expired', { facts });
    if (family.jkt !== null) requireKey(proofOf(request), family.jkt, facts);
    return { ...family, hash };
  }

  /** The family of a genuine token, whatever its state; undefined for anything else. */
  async lookUp(value: string): Promise<{ family: FamilyRow; live: boolean } | undefined> {
    const read = this.#format.read(value);
    const family = read && (await this.store.readFamily(read.familyId));
    if (!read || !family) return undefined;
    const live = sameBytes(family.liveHash, read.hash);
    return live || read.genuine ? { family, live } : undefined;
  }

  /** The answer as it lies on the family row until the next rotation; undefined where it may never be repeated (W13). */
  sealAnswer(
    presented: string,
    client: Client,
    answer: TokenAnswer,
    expiresAt: Date,
    request: RefreshRequest,
  ): Buffer | undefined {
    if (this.#retryWindowSeconds(client, request.jkt !== undefined) === 0) return undefined;
    const sealed: SealedAnswer = { answer, expiresAt: expiresAt.toISOString(), request };
    return Buffer.from(seal(answerKey(presented), JSON.stringify(sealed), 'refresh-answer'));
  }

  async #find(value: string, clientId: string): Promise<{ family: FamilyRow; hash: Buffer; genuine: boolean }> {
    const read = this.#format.read(value);
    const family = read && (await this.store.readFamily(read.familyId));
    // A generation that the row has not reached: the database was restored. Not theft, but not a token either.
    if (!read || !family || read.generation > family.generation) {
      throw new OAuthError('refresh-invalid', 'refresh_unknown', { facts: { clientId } });
    }
    return { family, hash: read.hash, genuine: read.genuine };
  }

  /** The immediate predecessor of the live token, again within the window, asking for the same: its answer was lost. */
  async #repeat(
    value: string,
    family: FamilyRow,
    client: Client,
    hash: Buffer,
    request: RefreshRequest,
  ): Promise<RepeatedAnswer | undefined> {
    if (!family.sealedAnswer || !family.spentAt || !family.previousHash || !sameBytes(family.previousHash, hash))
      return undefined;
    const now = this.clock.now().getTime();
    if (now - family.spentAt.getTime() > this.#retryWindowSeconds(client, family.jkt !== null) * 1000) return undefined;
    const sealed = openAnswer(value, family.sealedAnswer);
    if (!sealed || !sameRequest(sealed.request, request)) return undefined;
    await this.#requireGround(family, sealed.answer);
    await this.audit.refused({
      action: 'token.refresh_repeated',
      actorId: family.userId,
      clientId: client.id,
      detail: { family: family.id, generation: family.generation },
    });
    const secondsLeft = Math.max(0, Math.floor((Date.parse(sealed.expiresAt) - now) / 1000));
    return { repeated: { ...sealed.answer, expires_in: secondsLeft } };
  }

  /** What the answer stood on when it was first given must still be there: it may be given for the first time now. */
  async #requireGround(family: FamilyRow, { scope }: TokenAnswer): Promise<void> {
    const now = this.clock.now();
    const facts = { clientId: family.clientId, family: family.id };
    if (family.expiresAt <= now || family.endsAt <= now)
      throw new OAuthError('refresh-invalid', 'refresh_expired', { facts });
    if (!family.userActive) throw new OAuthError('refresh-invalid', 'user_disabled', { facts });
    if (family.identityRefused) throw new OAuthError('sign-in-again', 'identity_refused', { facts });
    const consented = family.consentRevoked === null ? family.consentScopes : null;
    if (!consented || !parseScope(scope).every((name) => consented.includes(name))) {
      throw new OAuthError('refresh-invalid', 'consent_withdrawn', { facts });
    }
    const ceiling = await this.groups.ceiling(family.userId, family.resourceId);
    if (ceiling && !parseScope(scope).every((name) => ceiling.has(name)))
      throw new OAuthError('refresh-invalid', 'groups_allow_less', { facts });
  }

  async #reused(family: FamilyRow, client: Client): Promise<never> {
    await this.revoker.endFamily(family.id, 'reuse_detection', {
      action: 'family.revoked',
      reason: 'reuse_detection',
      actorId: family.userId,
      clientId: client.id,
      detail: { family: family.id, generation: family.generation },
    });
    throw new OAuthError('refresh-reused', 'refresh_reused', { facts: { clientId: client.id, family: family.id } });
  }

  /** @param bound whether the request is by the key that the family is bound to */
  #retryWindowSeconds(client: Client, bound: boolean): number {
    const { refreshRetryWindowSeconds, refreshRetryWindowPublicSeconds } = this.config.oauth;
    const proven = bound || client.tokenEndpointAuthMethod !== 'none';
    return proven ? refreshRetryWindowSeconds : refreshRetryWindowPublicSeconds;
  }
}

const proofOf = ({ jkt }: RefreshRequest): { jkt: string } | undefined => (jkt === undefined ? undefined : { jkt });

const sameRequest = (a: RefreshRequest, b: RefreshRequest): boolean =>
  a.scope === b.scope && a.resource === b.resource && a.jkt === b.jkt;

/** A thief of a spent token who has not its key cannot end the family, and so log the person out (W9). */
function refuseStranger({ jkt }: FamilyRow, request: RefreshRequest, facts: Readonly<Record<string, unknown>>): void {
  if (jkt === null || jkt === request.jkt) return;
  throw new OAuthError('key-mismatch', 'key_mismatch', { facts: { ...facts, spent: true } });
}

/** Only whoever holds the spent token can open the answer that it was given. */
const answerKey = (presented: string): Buffer => deriveKey(presented, 'refresh-answer');

function openAnswer(presented: string, sealed: Buffer): SealedAnswer | undefined {
  try {
    return JSON.parse(open(answerKey(presented), sealed.toString(), 'refresh-answer').toString()) as SealedAnswer;
  } catch (error) {
    if (error instanceof SealBroken) return undefined;
    throw error;
  }
}
