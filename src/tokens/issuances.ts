import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { REVOCATION_MEMORY_MS } from '../consents/revocations.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { isUuid, uuid7Floor } from '../platform/uuid7.js';
import { IssuanceStore, type Family, type Issuance, type IssuanceFilter } from './issuance.store.js';
import { TokenRevoker } from './token-revoker.js';

export type { Family, Issuance, IssuanceFilter };

const BEGINNING = new Date(0);

/** What an issuance is of. An upstream's token has no key of ours; for nobody's resource and not for us is an assertion only. */
export type IssuanceKind = 'token' | 'vend' | 'assertion';

/** It records that an upstream's token was given, which is upstream's to end; or an assertion, at which nobody asks us again. */
export class IssuanceNotRevocable extends Error {
  override readonly name = 'IssuanceNotRevocable';

  constructor(kind: IssuanceKind, { connectionId }: Issuance) {
    if (kind === 'assertion') {
      super(
        'nobody asks about an assertion again, and it ends within minutes: disable its audience (/admin/xaa/audiences)',
      );
      return;
    }
    super(
      `this token is the upstream provider's and cannot be taken back by itself; ${
        connectionId === null
          ? "take the client from the resource's policy.exchange.allowed_client_ids, and change the credential at the provider"
          : `disconnect the account (authserver admin grant revoke-broker --id ${connectionId}), or let the person withdraw the MCP server at /connections`
      }`,
    );
  }
}

/** What was issued, as an operator sees it and takes it back. */
@Injectable()
export class Issuances {
  constructor(
    private readonly store: IssuanceStore,
    private readonly revoker: TokenRevoker,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  kindOf({ kid, resourceId, audience }: Issuance): IssuanceKind {
    if (kid === null) return 'vend';
    return resourceId !== null || audience === this.config.server.issuer ? 'token' : 'assertion';
  }

  /** Newest first. A `jti` is found however old it is. */
  list(filter: IssuanceFilter, since: Date, limit: number): Promise<Issuance[]> {
    return this.store.list(filter, uuid7Floor(filter.jti === undefined ? since : BEGINNING), limit);
  }

  async get(jti: string): Promise<Issuance | undefined> {
    if (!isUuid(jti)) return undefined;
    const [issuance] = await this.list({ jti }, BEGINNING, 1);
    return issuance;
  }

  /**
   * @returns false when there is no such issuance; revoking twice is the same as once
   * @throws IssuanceNotRevocable when it records a vend or an assertion
   */
  async revoke(jti: string): Promise<boolean> {
    const issuance = await this.get(jti);
    if (!issuance) return false;
    const kind = this.kindOf(issuance);
    if (kind !== 'token') throw new IssuanceNotRevocable(kind, issuance);
    await this.revoker.endToken(jti, 'admin', issuance.expiresAt, {
      action: 'issuance.revoked_admin',
      clientId: issuance.clientId,
      detail: { id: jti, user: issuance.userId, resource: issuance.resourceId },
    });
    return true;
  }

  families(of: { userId?: string; clientId?: string }, limit = 100, offset = 0): Promise<Family[]> {
    return this.store.families(of, this.clock.now(), limit, offset);
  }

  /** Whether a person or a client has tokens that work, refreshable or not. */
  anyAlive(of: { userId?: string; clientId?: string }): Promise<boolean> {
    return this.store.anyAlive(of, this.clock.now());
  }

  /** @returns false when there is no such family */
  async revokeFamily(id: string): Promise<boolean> {
    const family = isUuid(id) ? await this.store.family(id) : undefined;
    if (!family) return false;
    const fact = {
      action: 'token.revoked',
      clientId: family.clientId,
      detail: { family: id, user: family.userId, by: 'admin' },
    };
    await this.revoker.endFamily(id, 'admin', fact);
    return true;
  }

  /** `revokeFamiliesOfUser`, to be handed to whoever does not know of tokens. */
  readonly endingTokens = (tx: Transaction, userId: string): Promise<number> => this.revokeFamiliesOfUser(tx, userId);

  /**
   * Signs a person out of every application, inside a transaction that has locked the person.
   *
   * @param reason whose doing it is
   * @returns how many families it ended
   */
  async revokeFamiliesOfUser(
    tx: Transaction,
    userId: string,
    reason: 'admin' | 'upstream_logout' = 'admin',
  ): Promise<number> {
    const now = this.clock.now();
    const memory = new Date(now.getTime() + REVOCATION_MEMORY_MS);
    const revoked = await this.store.revokeFamiliesOfUser(tx, userId, { reason, now, expiresAt: memory });
    const action = reason === 'admin' ? 'user.force_logout' : 'user.tokens_revoked';
    await this.audit.record(tx, { action, detail: { user: userId, revoked } });
    return revoked;
  }
}
