import { Injectable } from '@nestjs/common';
import { Breakers } from '../breaker/breakers.js';
import { EphemeralHealth } from '../ephemeral/ephemeral-health.js';
import { Database } from '../postgres/database.js';
import { Dependencies, type DependencyState } from './dependencies.js';

export interface ReadinessReport {
  /** `degraded`: every request is answered, but not as well as it should be. */
  status: 'ok' | 'degraded' | 'down';
  /** Breakers that let nobody through, or one at a time, by what they stand before; of `outgoing` there is one per host. */
  open: Readonly<Record<string, number>>;
  checks: { database: DependencyState; redis?: DependencyState } & Readonly<Record<string, DependencyState>>;
}

/**
 * Whether this process can do its work: without the database nothing can be issued; without Redis nearly everything can, and without Vault all that opens no
 * sealed value, or where it signs, what issues no token.
 */
@Injectable()
export class Readiness {
  constructor(
    private readonly database: Database,
    private readonly ephemeral: EphemeralHealth,
    private readonly dependencies: Dependencies,
    private readonly breakers: Breakers,
  ) {}

  async check(): Promise<ReadinessReport> {
    const database = await this.database.takesWrites().then(
      (takes) => (takes ? ('ok' as const) : ('down' as const)),
      () => 'down' as const,
    );
    const [redis, others] = await Promise.all([this.ephemeral.state(), this.dependencies.states()]);
    const lacking = [redis, ...Object.values(others)].includes('down');
    const status = database === 'down' ? 'down' : lacking ? 'degraded' : 'ok';
    const open = Object.fromEntries(this.breakers.states().map((each) => [each.name, each.open]));
    return { status, open, checks: { database, ...(redis === undefined ? {} : { redis }), ...others } };
  }
}
