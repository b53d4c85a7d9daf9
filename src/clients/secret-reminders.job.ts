import { Injectable, Logger } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { Job } from '../platform/queue/job.js';
import { ClientSecretStore } from './client-secret.store.js';

const HOUR_MILLIS = 3_600_000;
const DAY_MILLIS = 24 * HOUR_MILLIS;

/** Reminds operators of secrets that will end, once at each threshold: in the audit, of which webhooks hear, and in the log. */
@Injectable()
export class SecretRemindersJob extends Job {
  readonly name = 'secret-reminders';
  override readonly everyMillis = HOUR_MILLIS;
  override readonly attempts = 1;
  readonly #log = new Logger(SecretRemindersJob.name);

  constructor(
    private readonly secrets: ClientSecretStore,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const thresholds = this.config.secretReminders.before.map((days) => Number.parseInt(days, 10));
    if (thresholds.length === 0) return;
    const now = this.clock.now();
    const facts = await this.secrets.transaction(async (tx) => {
      const ending = await this.secrets.remind(tx, thresholds, now);
      const reminders = ending.map(({ id, clientId, expiresAt, replaced }) => ({
        action: 'client.secret_expiring',
        clientId,
        detail: {
          secret: id,
          expires_at: expiresAt.toISOString(),
          days_left: Math.ceil((expiresAt.getTime() - now.getTime()) / DAY_MILLIS),
          replaced,
        },
      }));
      if (reminders.length > 0) await this.audit.record(tx, ...reminders);
      return reminders;
    });
    for (const { clientId, detail } of facts)
      this.#log.warn({ message: 'a client secret will end', client: clientId, ...detail });
  }
}
