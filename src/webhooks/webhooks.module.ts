import { Global, Module } from '@nestjs/common';
import { Notices } from './notices.js';
import { OverdueWebhooksJob } from './overdue-webhooks.job.js';
import { UntoldRevocationStore } from './untold-revocation.store.js';
import { UntoldRevocationsJob } from './untold-revocations.job.js';
import { WebhookDeliveries } from './webhook-deliveries.js';
import { WebhookDeliveryJob } from './webhook-delivery.job.js';
import { WebhookDeliveryStore } from './webhook-delivery.store.js';

/**
 * Webhooks — what operators' own programs are told, and whether they took it.
 * Owns: the table webhook_deliveries, the signature, the attempts. Not here: what happened (the module whose commit it was; what it
 * records in the audit is heard here), where and of what somebody wants to be told (settings).
 * Holds always: a notice is written in the commit that it tells of, or by a job that this commit left behind; nobody waits for a receiver;
 * a body holds ids and facts, never a secret or an e-mail address; what is sent again has the same id and the same bytes.
 * Standard Webhooks 1.0.
 */
@Global()
@Module({
  providers: [
    WebhookDeliveryStore,
    UntoldRevocationStore,
    Notices,
    WebhookDeliveries,
    WebhookDeliveryJob,
    OverdueWebhooksJob,
    UntoldRevocationsJob,
  ],
  exports: [Notices, WebhookDeliveries],
})
export class WebhooksModule {}
