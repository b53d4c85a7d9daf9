import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from './database.js';
import { bumpPolicyEpoch } from './policy-epoch.js';

/** What an operator changes while the server runs, such as the mode of registration: a key and a JSON value each. */
@Injectable()
export class SettingStore {
  constructor(private readonly database: Database) {}

  /** The caller knows the shape, since it is the one that stores it. */
  async get<T>(key: string): Promise<T | undefined> {
    const [row] = await this.database.query<{ value: T }>(
      'select value from settings where key = $1',
      [key],
      'settings.get',
    );
    return row?.value;
  }

  /** Stores `value` and bumps the policy epoch with it. */
  async set(tx: Transaction, key: string, value: unknown, now: Date): Promise<void> {
    await tx.query(
      `insert into settings (key, value, updated_at) values ($1, $2::jsonb, $3)
       on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at`,
      [key, JSON.stringify(value), now],
    );
    await bumpPolicyEpoch(tx);
  }
}
