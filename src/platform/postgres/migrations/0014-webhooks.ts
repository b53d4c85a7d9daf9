import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whoever revokes a family, a consent or a key leaves word of it in the outbox, in the same commit and whatever the statement: the table is
 * the one place that every revocation goes through. Single tokens are too many, and nobody outside waits for them.
 * And what operators' webhooks are told, until they have taken it.
 */
export class Webhooks0014 implements MigrationInterface {
  name = 'Webhooks1700000000014';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create function tell_of_revocations() returns trigger language plpgsql as $$
      begin
        insert into outbox (id, topic, key, payload, created_at)
        select gen_random_uuid(), kind || '-revocation', id, jsonb_build_object('id', id, 'reason', reason, 'at', at), at
          from fresh where kind in ('family', 'consent', 'key');
        return null;
      end $$;
      create trigger revocations_told after insert on revocations
        referencing new table as fresh for each statement execute function tell_of_revocations();

      create table webhook_deliveries (
        id text not null,
        webhook text not null,
        type text not null,
        body text not null,
        created_at timestamptz not null,
        attempts integer not null default 0,
        failed_at timestamptz,
        last_error text,
        delivered_at timestamptz,
        given_up_at timestamptz,
        primary key (id, webhook)
      );
      create index webhook_deliveries_open on webhook_deliveries (created_at) where delivered_at is null and given_up_at is null;
      create index webhook_deliveries_webhook on webhook_deliveries (webhook);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop table webhook_deliveries;
      drop trigger revocations_told on revocations;
      drop function tell_of_revocations();
    `);
  }
}
