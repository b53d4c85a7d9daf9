import { CLOCK_SKEW_MILLIS } from '../clock/clock-skew.js';
import { Clock } from '../clock/clock.js';
import { Database } from '../postgres/database.js';
import { ReplayStore } from './replay-store.js';

const claimStatement = `
  insert into replays (key, expires_at) values ($1, $2)
  on conflict (key) do update set expires_at = excluded.expires_at where replays.expires_at <= $3
  returning true as won`;

const sweepStatement = `
  with gone as (delete from replays where expires_at <= $1 returning 1)
  select count(*)::int as count from gone`;

/** Claims as rows: used when there is no Redis. It forgets nothing that was committed. */
export class PostgresReplayStore extends ReplayStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    super();
  }

  async claim(key: Buffer, expiresAt: Date): Promise<boolean> {
    const rows = await this.database.query(claimStatement, [key, expiresAt, this.clock.now()], 'claim-replay');
    return rows.length === 1;
  }

  forgotAt(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async sweep(now: Date): Promise<number> {
    const before = new Date(now.getTime() - CLOCK_SKEW_MILLIS);
    const [row] = await this.database.query<{ count: number }>(sweepStatement, [before]);
    return row?.count ?? 0;
  }
}
