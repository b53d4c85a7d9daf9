import { Get, HttpCode, Param, Post } from '@nestjs/common';
import { WebhookDeliveries } from '../webhooks/webhook-deliveries.js';
import { OperatorController } from './operator-controller.js';
import { NameOf } from './path-id.js';
import { notFound } from './problem.js';
import { toWebhookView } from './webhook.dto.js';

@OperatorController('webhooks')
export class WebhooksController {
  constructor(private readonly deliveries: WebhookDeliveries) {}

  @Get()
  async list(): Promise<object> {
    return { webhooks: (await this.deliveries.list()).map(toWebhookView) };
  }

  /** Sends a message of the type `webhook.test` now, once. That the receiver did not take it is an answer, not an error. */
  @Post(':name/test')
  @HttpCode(200)
  async test(@Param('name', new NameOf('webhook')) name: string): Promise<object> {
    const tested = await this.deliveries.test(name);
    if (!tested) throw notFound('webhook');
    return { name, id: tested.id, delivered: tested.error === undefined, error: tested.error };
  }
}
