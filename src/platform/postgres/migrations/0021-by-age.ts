import type { MigrationInterface, QueryRunner } from 'typeorm';

const indexes = {
  /** After a long outage of the queue there are very many rows, of which the oldest few are looked for again and again. */
  outbox_age: 'outbox (created_at)',
  /** Of all that was revoked in a year, a day is looked through every ten minutes. */
  revocations_age: 'revocations (at, id)',
};

export class ByAge0021 implements MigrationInterface {
  name = 'ByAge1700000000021';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    for (const [name, columns] of Object.entries(indexes)) {
      await runner.query(`drop index concurrently if exists ${name}`); // an attempt that was broken off leaves a useless one
      await runner.query(`create index concurrently ${name} on ${columns}`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const name of Object.keys(indexes)) await runner.query(`drop index ${name}`);
  }
}
