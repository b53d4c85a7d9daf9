import { webhookEvents } from '../config/webhook-settings.js';
import type { WebhookView } from '../webhooks/webhook-deliveries.js';

export const toWebhookView = (webhook: WebhookView) => ({
  name: webhook.name,
  url: webhook.url,
  events: webhook.events.length === 0 ? webhookEvents : webhook.events,
  last_success_at: webhook.lastSuccessAt?.toISOString(),
  last_failure_at: webhook.lastFailureAt?.toISOString(),
  last_error: webhook.lastError ?? undefined,
  waiting: webhook.waiting ?? 0,
});
