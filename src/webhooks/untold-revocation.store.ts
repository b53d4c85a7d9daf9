import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';

export type ToldKind = 'family' | 'consent' | 'key';

export interface Untold {
  readonly kind: ToldKind;
  readonly id: string;
  readonly reason: string;
  readonly at: Date;
}

/** What a restore ended is not told of. */
const UNTOLD = `
  select kind, id, reason, at from revocations r
  where kind = any($1) and reason <> 'restored' and at > $2 and at < $3 and (at, id) > ($4, $5)
    and not exists (select from webhook_deliveries d where d.id = case r.kind when 'key' then 'key_' || r.id else r.id end)
  order by at, id limit 1000`;

@Injectable()
export class UntoldRevocationStore {
  constructor(private readonly database: Database) {}

  /** Revocations of that time of which no webhook has a message, a batch at a time. */
  async *between(kinds: readonly ToldKind[], from: Date, to: Date): AsyncGenerator<Untold[]> {
    let last: Pick<Untold, 'at' | 'id'> = { at: from, id: '' };
    for (;;) {
      const rows = await this.database.query<Untold>(UNTOLD, [kinds, from, to, last.at, last.id]);
      if (rows.length > 0) yield rows;
      const end = rows.at(-1);
      if (!end || rows.length < 1000) return;
      last = end;
    }
  }
}
