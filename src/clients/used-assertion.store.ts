import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';

/** Assertions that were used (S7). In Postgres, so that single use survives a failover of Redis, and works without one. */
@Injectable()
export class UsedAssertionStore {
  constructor(private readonly database: Database) {}

  /**
   * True exactly once per key until `expiresAt`, whoever asks and in whichever process.
   *
   * @param key a hash: it is stored as it is
   * @throws DatabaseAway
   */
  async claim(key: Buffer, expiresAt: Date, now: Date): Promise<boolean> {
    return (await this.database.query(CLAIM, [key, expiresAt, now], 'used_assertions.claim')).length === 1;
  }
}

const CLAIM = `
  insert into used_assertions (key, expires_at) values ($1, $2)
  on conflict (key) do update set expires_at = excluded.expires_at where used_assertions.expires_at <= $3
  returning true as won`;
