import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import type { WebhookSettings } from '../config/webhook-settings.js';
import { Clock } from '../platform/clock/clock.js';
import { FetchFailed, FetchRefused } from '../platform/http-client/fetch-errors.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import { uuid7 } from '../platform/uuid7.js';
import { bodyOf } from './notices.js';
import { WebhookDeliveryStore, type DeliveryKey, type Faring, type NewDelivery } from './webhook-delivery.store.js';
import { signedHeaders } from './webhook-signature.js';

const TIMEOUT_MS = 5_000;
/** A receiver is gone for good (Standard Webhooks). */
const GONE = 410;

export type WebhookView = Pick<WebhookSettings, 'name' | 'url' | 'events'> & Partial<Faring>;

/** The receiver did not take a message. */
export class NotTaken extends Error {
  override readonly name = 'NotTaken';
}

/** Sends messages, and keeps how that went. */
@Injectable()
export class WebhookDeliveries {
  constructor(
    private readonly store: WebhookDeliveryStore,
    private readonly http: GuardedFetch,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** Sends a message unless that is over. @throws NotTaken when it is to be sent again */
  async deliver(key: DeliveryKey): Promise<void> {
    const delivery = await this.store.findOpen(key);
    if (!delivery) return;
    const webhook = this.#named(key.webhook);
    if (!webhook) return this.giveUp(key, 'removed');
    const problem = await this.#attempt(webhook, delivery);
    if (problem === undefined) return;
    if (problem === answered(GONE)) return this.giveUp(key, 'gone');
    throw new NotTaken(problem);
  }

  /** @param why as the audit says it */
  async giveUp(key: DeliveryKey, why: 'attempts_over' | 'removed' | 'gone' | 'test'): Promise<void> {
    await this.store.transaction(async (tx) => {
      const settled = await this.store.giveUp(tx, key, this.clock.now());
      if (!settled) return;
      const detail = { webhook: key.webhook, message: key.id, ...settled };
      await this.audit.record(tx, { action: 'webhook.given_up', reason: why, detail });
    });
  }

  /**
   * Sends a message of the type `webhook.test`, once and now.
   *
   * @returns undefined when there is no such webhook
   */
  async test(name: string): Promise<{ readonly id: string; readonly error?: string } | undefined> {
    const webhook = this.#named(name);
    if (!webhook) return undefined;
    const [type, now] = ['webhook.test', this.clock.now()];
    const id = uuid7(now);
    const delivery = { id, webhook: name, type, body: bodyOf(type, now, { webhook: name }), createdAt: now };
    await this.store.transaction(async (tx) => {
      await this.store.insert(tx, delivery);
      await this.audit.record(tx, { action: 'webhook.tested', detail: { webhook: name, message: id } });
    });
    const error = await this.#attempt(webhook, delivery);
    if (error !== undefined) await this.giveUp(delivery, 'test');
    return { id, error };
  }

  async list(): Promise<WebhookView[]> {
    const faring = await this.store.faring();
    return this.config.webhooks.map(({ name, url, events }) => ({
      name,
      url: shown(url),
      events,
      ...faring.find(({ webhook }) => webhook === name),
    }));
  }

  #named(name: string): WebhookSettings | undefined {
    return this.config.webhooks.find((webhook) => webhook.name === name);
  }

  /** One request, and the record of it. @returns why the receiver did not take it */
  async #attempt(webhook: WebhookSettings, delivery: NewDelivery): Promise<string | undefined> {
    const problem = await this.#send(webhook, delivery);
    const now = this.clock.now();
    await (problem === undefined ? this.store.delivered(delivery, now) : this.store.failed(delivery, problem, now));
    return problem;
  }

  async #send({ url, secrets }: WebhookSettings, message: NewDelivery): Promise<string | undefined> {
    try {
      const { status } = await this.http.post(url, {
        trust: 'operator',
        allowHttp: this.config.isLocal,
        timeoutMs: TIMEOUT_MS,
        maxBytes: 0,
        accept: '*/*',
        contentType: 'application/json',
        headers: signedHeaders(message, secrets, this.clock.now()),
        body: message.body,
      });
      return status >= 200 && status < 300 ? undefined : answered(status);
    } catch (error) {
      if (error instanceof FetchRefused || error instanceof FetchFailed) return `not reached: ${error.reason}`;
      throw error;
    }
  }
}

/** What follows the host may be a secret: with chat services whoever knows the path may post. */
function shown(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return pathname === '/' && search === '' ? origin : `${origin}/…`;
}

const answered = (status: number): string => `answered ${status}`;
