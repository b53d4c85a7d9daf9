import { Injectable } from '@nestjs/common';
import { EphemeralHealth } from '../ephemeral/ephemeral-health.js';
import { Database } from '../postgres/database.js';

export interface ReadinessReport {
  /** `degraded`: every request is answered, but not as well as it should be. */
  status: 'ok' | 'degraded' | 'down';
  checks: { database: 'ok' | 'down'; redis?: 'ok' | 'down' };
}

/** Whether this process can do its work: without the database nothing can be issued; without Redis nearly everything can. */
@Injectable()
export class Readiness {
  constructor(
    private readonly database: Database,
    private readonly ephemeral: EphemeralHealth,
  ) {}

  async check(): Promise<ReadinessReport> {
    const database = await this.database.query('select 1').then(
      () => 'ok' as const,
      () => 'down' as const,
    );
    const redis = await this.ephemeral.state();
    const status = database === 'down' ? 'down' : redis === 'down' ? 'degraded' : 'ok';
    return { status, checks: { database, ...(redis === undefined ? {} : { redis }) } };
  }
}
