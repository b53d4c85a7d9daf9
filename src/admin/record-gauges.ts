import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { SigningKeys } from '../keys/signing-keys.js';
import { Clock } from '../platform/clock/clock.js';
import { GaugeReadings, type Reading } from '../platform/telemetry/gauge-readings.js';
import {
  activeClients,
  activeFamilies,
  auditQueue,
  secretsExpiring,
  signingKeyAge,
  signingKeyRotationDue,
} from '../platform/telemetry/protocol-metrics.js';
import { lastBackup } from '../platform/telemetry/runtime-metrics.js';
import { StatsStore } from './stats.store.js';

/** Counting families reads all of them. */
const COUNTS_FRESH_SECONDS = 60;
const KEYS_FRESH_SECONDS = 5;

/** What stands in the tables of other modules, for whoever looks at the metrics. */
@Injectable()
export class RecordGauges implements OnModuleInit {
  constructor(
    private readonly gauges: GaugeReadings,
    private readonly stats: StatsStore,
    private readonly keys: SigningKeys,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.gauges.add(() => [{ gauge: auditQueue, value: this.audit.waiting }]);
    this.gauges.add(() => this.#keys(), KEYS_FRESH_SECONDS);
    this.gauges.add(() => this.#counts(), COUNTS_FRESH_SECONDS);
  }

  async #keys(): Promise<Reading[]> {
    const active = (await this.keys.list()).find(({ status }) => status === 'active');
    if (!active) return [];
    const age = (this.clock.now().getTime() - active.activatesAt.getTime()) / 1000;
    const { rotationIntervalSeconds: interval } = this.config.signing;
    return [
      { gauge: signingKeyAge, value: age },
      ...(interval === 0 ? [] : [{ gauge: signingKeyRotationDue, value: interval - age }]),
    ];
  }

  async #counts(): Promise<Reading[]> {
    const counts = await this.stats.records(this.clock.now());
    if (!counts) return [];
    const expiring = Object.entries(counts.secretsExpiring);
    return [
      { gauge: activeClients, value: counts.activeClients },
      { gauge: activeFamilies, value: counts.activeFamilies },
      ...expiring.map(([days, value]) => ({ gauge: secretsExpiring, labels: { days }, value })),
      { gauge: lastBackup, value: counts.lastBackup === null ? 0 : Date.parse(counts.lastBackup) / 1000 },
    ];
  }
}
