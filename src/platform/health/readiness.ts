import { Injectable } from '@nestjs/common';
import { EphemeralHealth } from '../ephemeral/ephemeral-health.js';
import { Database } from '../postgres/database.js';
import { Dependencies, type DependencyState } from './dependencies.js';

export interface ReadinessReport {
  /** `degraded`: every request is answered, but not as well as it should be. */
  status: 'ok' | 'degraded' | 'down';
  checks: { database: DependencyState; redis?: DependencyState } & Readonly<Record<string, DependencyState>>;
}

/** Whether this process can do its work: without the database nothing can be issued; without Redis nearly everything can, and without Vault all that opens no sealed value. */
@Injectable()
export class Readiness {
  constructor(
    private readonly database: Database,
    private readonly ephemeral: EphemeralHealth,
    private readonly dependencies: Dependencies,
  ) {}

  async check(): Promise<ReadinessReport> {
    const database = await this.database.takesWrites().then(
      (takes) => (takes ? ('ok' as const) : ('down' as const)),
      () => 'down' as const,
    );
    const [redis, others] = await Promise.all([this.ephemeral.state(), this.dependencies.states()]);
    const lacking = [redis, ...Object.values(others)].includes('down');
    const status = database === 'down' ? 'down' : lacking ? 'degraded' : 'ok';
    return { status, checks: { database, ...(redis === undefined ? {} : { redis }), ...others } };
  }
}
