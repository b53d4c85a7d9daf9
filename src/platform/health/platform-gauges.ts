import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Breakers } from '../breaker/breakers.js';
import { Clock } from '../clock/clock.js';
import { Database } from '../postgres/database.js';
import { JobQueue } from '../queue/job-queue.js';
import { GaugeReadings, type Reading } from '../telemetry/gauge-readings.js';
import {
  breakersOpen,
  dependencyUp,
  jobs,
  oldestJob,
  outboxOldest,
  outboxRows,
  poolConnections,
  poolLimit,
  poolWaiting,
} from '../telemetry/runtime-metrics.js';
import { Readiness } from './readiness.js';

const FRESH_SECONDS = 5;

/** So that a long outage of the queue makes nobody count for long. */
const OUTBOX = `select (select count(*)::int from (select from outbox limit 100000) o) as "rows",
  (select min(created_at) from outbox) as "oldest"`;

/** What the server runs on, for whoever looks at the metrics. */
@Injectable()
export class PlatformGauges implements OnModuleInit {
  constructor(
    private readonly gauges: GaugeReadings,
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly readiness: Readiness,
    private readonly breakers: Breakers,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.gauges.add(() => this.#pool());
    this.gauges.add(() => this.#breakers());
    this.gauges.add(() => this.#dependencies(), FRESH_SECONDS);
    this.gauges.add(() => this.#jobs(), FRESH_SECONDS);
    this.gauges.add(() => this.#outbox(), FRESH_SECONDS);
  }

  #pool(): Reading[] {
    const { inUse, idle, waiting, max } = this.database.pool;
    return [
      { gauge: poolConnections, labels: { state: 'in_use' }, value: inUse },
      { gauge: poolConnections, labels: { state: 'idle' }, value: idle },
      { gauge: poolWaiting, value: waiting },
      { gauge: poolLimit, value: max },
    ];
  }

  #breakers(): Reading[] {
    return this.breakers
      .states()
      .map(({ name, open }) => ({ gauge: breakersOpen, labels: { dependency: name }, value: open }));
  }

  async #dependencies(): Promise<Reading[]> {
    const { checks } = await this.readiness.check();
    return Object.entries(checks).map(([dependency, state]) => ({
      gauge: dependencyUp,
      labels: { dependency },
      value: state === 'ok' ? 1 : 0,
    }));
  }

  async #jobs(): Promise<Reading[]> {
    const { counts, nextAt } = await this.queue.load();
    const states = Object.entries(counts).map(([state, value]) => ({ gauge: jobs, labels: { state }, value }));
    return [...states, { gauge: oldestJob, value: this.#secondsSince(nextAt) }];
  }

  async #outbox(): Promise<Reading[]> {
    const [row] = await this.database.query<{ rows: number; oldest: Date | null }>(OUTBOX, [], 'outbox.lag');
    return [
      { gauge: outboxRows, value: row?.rows ?? 0 },
      { gauge: outboxOldest, value: this.#secondsSince(row?.oldest ?? undefined) },
    ];
  }

  #secondsSince(moment: Date | undefined): number {
    return moment ? Math.max(0, (this.clock.now().getTime() - moment.getTime()) / 1000) : 0;
  }
}
