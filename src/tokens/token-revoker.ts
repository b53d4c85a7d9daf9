import { Injectable } from '@nestjs/common';
import { AuditLog, type AuditFact } from '../audit/audit-log.js';
import { REVOCATION_MEMORY_MS } from '../consents/revocations.js';
import { Clock } from '../platform/clock/clock.js';
import { TokenStore } from './token.store.js';

/** Takes tokens back: an insert, in one commit with the facts that tell of it (S5). */
@Injectable()
export class TokenRevoker {
  constructor(
    private readonly store: TokenStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** Ends a family: no token of it is active from here on, its access tokens included. */
  async endFamily(familyId: string, reason: string, ...facts: AuditFact[]): Promise<void> {
    const now = this.clock.now();
    await this.store.revokeFamily(
      familyId,
      reason,
      now,
      new Date(now.getTime() + REVOCATION_MEMORY_MS),
      this.audit.rows(...facts),
    );
  }

  /** Ends one access token; its family lives (W41). @param expiresAt when the token would have ended by itself */
  async endToken(jti: string, reason: string, expiresAt: Date, ...facts: AuditFact[]): Promise<void> {
    await this.store.revokeJti(
      jti,
      reason,
      this.clock.now(),
      new Date(expiresAt.getTime() + 24 * 3600 * 1000),
      this.audit.rows(...facts),
    );
  }
}
