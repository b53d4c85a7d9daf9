import { Injectable } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { RevocationStore } from './revocation.store.js';

export type RevocationKind = 'jti' | 'family' | 'consent' | 'key';

/** No token, family or consent outlives this, so that a revocation may be forgotten after it. */
export const REVOCATION_MEMORY_MS = 400 * 24 * 3600 * 1000;

/** Revoking is an insert; what is valid is decided by whoever reads (S5). Nothing cascades, so nothing races. */
@Injectable()
export class Revocations {
  constructor(
    private readonly store: RevocationStore,
    private readonly clock: Clock,
  ) {}

  async insert(tx: Transaction, kind: RevocationKind, ids: readonly string[], reason: string): Promise<void> {
    const now = this.clock.now();
    await this.store.insert(kind, ids, reason, now, new Date(now.getTime() + REVOCATION_MEMORY_MS), tx);
  }

  /** Frees what nothing can refer to any more. */
  sweep(): Promise<void> {
    return this.store.sweep(this.clock.now());
  }
}
