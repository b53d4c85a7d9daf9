import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { Database } from '../platform/postgres/database.js';
import { SettingStore } from '../platform/postgres/settings.store.js';

/** Who may register clients: anybody, anybody with approved redirect URIs, operators only. */
export type RegistrationModeName = Config['dcr']['mode'];

const KEY = 'dcr.mode';

/** What an operator set while the server ran, else what the configuration says. */
@Injectable()
export class RegistrationMode {
  #last: RegistrationModeName;

  constructor(
    private readonly config: Config,
    private readonly settings: SettingStore,
    private readonly database: Database,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {
    this.#last = config.dcr.mode;
  }

  /** @throws DatabaseAway */
  async get(): Promise<RegistrationModeName> {
    this.#last = (await this.settings.get<RegistrationModeName>(KEY)) ?? this.config.dcr.mode;
    return this.#last;
  }

  /** For documents that are served even while the database is away. */
  async lastKnown(): Promise<RegistrationModeName> {
    return this.get().catch(() => this.#last);
  }

  /** Takes effect at once and outlives restarts; a new policy epoch comes with it. */
  async set(mode: RegistrationModeName): Promise<void> {
    const from = await this.get();
    await this.database.transaction(async (tx) => {
      await this.settings.set(tx, KEY, mode, this.clock.now());
      await this.audit.record(tx, { action: 'dcr.mode_updated', detail: { from, to: mode } });
    });
    this.#last = mode;
  }
}
