import { Injectable } from '@nestjs/common';
import { AuditLog, type AuditFact } from '../audit/audit-log.js';
import { REVOCATION_MEMORY_MS } from '../consents/revocations.js';
import { revocationFailures } from '../platform/telemetry/protocol-metrics.js';
import { Clock } from '../platform/clock/clock.js';
import { TokenStore } from './token.store.js';

/** What a revocation is for. */
type Reason = 'reuse_detection' | 'code_reuse' | 'explicit' | 'admin';

/** Takes tokens back: an insert, in one commit with the facts that tell of it (S5). */
@Injectable()
export class TokenRevoker {
  constructor(
    private readonly store: TokenStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** Ends a family: no token of it is active from here on, its access tokens included. */
  async endFamily(familyId: string, reason: Reason, ...facts: AuditFact[]): Promise<void> {
    const now = this.clock.now();
    const memory = new Date(now.getTime() + REVOCATION_MEMORY_MS);
    await this.store
      .revokeFamily(familyId, reason, now, memory, this.audit.rows(...facts))
      .catch(failing({ path: reason, half: 'family' }));
    this.audit.happened(...facts);
  }

  /** Ends one access token; its family lives (W41). @param expiresAt when the token would have ended by itself */
  async endToken(jti: string, reason: Reason, expiresAt: Date, ...facts: AuditFact[]): Promise<void> {
    const memory = new Date(expiresAt.getTime() + 24 * 3600 * 1000);
    await this.store
      .revokeJti(jti, reason, this.clock.now(), memory, this.audit.rows(...facts))
      .catch(failing({ path: reason, half: 'denylist' }));
    this.audit.happened(...facts);
  }
}

const failing =
  (labels: { path: Reason; half: 'family' | 'denylist' }) =>
  (error: unknown): never => {
    revocationFailures.inc(labels);
    throw error;
  };
