import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';

export interface NewDelivery {
  readonly id: string;
  readonly webhook: string;
  readonly type: string;
  readonly body: string;
  readonly createdAt: Date;
}

export interface DeliveryKey {
  readonly id: string;
  readonly webhook: string;
}

export type OpenDelivery = Pick<NewDelivery, 'id' | 'webhook' | 'createdAt'>;

/** How a webhook fared of late. */
export interface Faring {
  readonly webhook: string;
  readonly lastSuccessAt: Date | null;
  readonly lastFailureAt: Date | null;
  readonly lastError: string | null;
  /** Messages that it has not taken yet. */
  readonly waiting: number;
}

const OPEN = 'delivered_at is null and given_up_at is null';
const COLUMNS = 'id, webhook, type, body, created_at as "createdAt"';

@Injectable()
export class WebhookDeliveryStore {
  constructor(private readonly database: Database) {}

  /** @returns false when it is there already */
  async insert(tx: Transaction, { id, webhook, type, body, createdAt }: NewDelivery): Promise<boolean> {
    const rows: unknown[] = await tx.query(
      `insert into webhook_deliveries (id, webhook, type, body, created_at) values ($1, $2, $3, $4, $5)
       on conflict do nothing returning id`,
      [id, webhook, type, body, createdAt],
    );
    return rows.length === 1;
  }

  /** @returns undefined when it is over */
  async findOpen({ id, webhook }: DeliveryKey): Promise<NewDelivery | undefined> {
    const [row] = await this.database.query<NewDelivery>(
      `select ${COLUMNS} from webhook_deliveries where id = $1 and webhook = $2 and ${OPEN}`,
      [id, webhook],
    );
    return row;
  }

  /** Those that wait since before then, so many at a time. */
  async *open(before: Date, limit: number): AsyncGenerator<OpenDelivery[]> {
    let last: DeliveryKey = { id: '', webhook: '' };
    for (
      let page: OpenDelivery[] | undefined;
      page === undefined || page.length === limit;
      last = page.at(-1) ?? last
    ) {
      page = await this.database.query<OpenDelivery>(
        `select id, webhook, created_at as "createdAt" from webhook_deliveries
          where ${OPEN} and created_at < $1 and (id, webhook) > ($2, $3) order by id, webhook limit $4`,
        [before, last.id, last.webhook, limit],
      );
      yield page;
    }
  }

  async delivered({ id, webhook }: DeliveryKey, now: Date): Promise<void> {
    await this.database.query(
      `update webhook_deliveries set attempts = attempts + 1, delivered_at = $3 where id = $1 and webhook = $2 and ${OPEN}`,
      [id, webhook, now],
    );
  }

  async failed({ id, webhook }: DeliveryKey, error: string, now: Date): Promise<void> {
    await this.database.query(
      `update webhook_deliveries set attempts = attempts + 1, failed_at = $3, last_error = $4
        where id = $1 and webhook = $2 and ${OPEN}`,
      [id, webhook, now, error],
    );
  }

  /** @returns what it was, or undefined when it was over before */
  async giveUp(
    tx: Transaction,
    { id, webhook }: DeliveryKey,
    now: Date,
  ): Promise<{ type: string; attempts: number; error: string | null } | undefined> {
    const [rows] = (await tx.query(
      `update webhook_deliveries set given_up_at = $3 where id = $1 and webhook = $2 and ${OPEN}
       returning type, attempts, last_error as error`,
      [id, webhook, now],
    )) as [{ type: string; attempts: number; error: string | null }[], number];
    return rows[0];
  }

  faring(): Promise<Faring[]> {
    return this.database.query<Faring>(
      `select webhook, max(delivered_at) as "lastSuccessAt", max(failed_at) as "lastFailureAt",
              (array_agg(last_error order by failed_at desc nulls last))[1] as "lastError",
              (count(*) filter (where ${OPEN}))::int as waiting
         from webhook_deliveries group by webhook`,
    );
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}
