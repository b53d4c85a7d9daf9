import { RedisConnection } from './redis.js';

/** For the readiness page: whether Redis answers. */
export class EphemeralHealth {
  constructor(private readonly redis: RedisConnection | undefined) {}

  /** @returns undefined when no Redis is configured; within about a second in any case */
  async state(): Promise<'ok' | 'down' | undefined> {
    if (this.redis === undefined) return undefined;
    return this.redis
      .ask((client) => client.ping())
      .then(
        () => 'ok',
        () => 'down',
      );
  }
}
