import type { MigrationInterface, QueryRunner } from 'typeorm';

/** After a long outage of the queue there are very many rows, of which the oldest few are looked for again and again. */
export class OutboxByAge0021 implements MigrationInterface {
  name = 'OutboxByAge1700000000021';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('drop index concurrently if exists outbox_age'); // an attempt that was broken off leaves a useless one
    await runner.query('create index concurrently outbox_age on outbox (created_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index outbox_age');
  }
}
