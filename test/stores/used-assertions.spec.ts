import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyClient, asForm, assertionOf, type KeyClient } from '../assertions.js';
import { postForm } from '../builders.js';

const ASSERTIONS = 50;
const CALLERS = 20;

let app: TestApp;
let replica: TestApp;
let client: KeyClient;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
  replica = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' }, beside: app });
  client = await aKeyClient(app);
});
afterAll(async () => {
  await replica.close();
  await app.close();
});

describe('[J4] a client assertion', () => {
  it('lets one of 20 callers in, at two replicas, 50 times, without Redis', async () => {
    const winners: number[] = [];
    const refused = new Set<string>();
    for (let n = 0; n < ASSERTIONS; n++) {
      const form = {
        grant_type: 'refresh_token',
        refresh_token: 'none',
        ...asForm(await assertionOf(app, client.id, client.pair)),
      };
      const answers = await Promise.all(
        Array.from({ length: CALLERS }, (_, caller) => postForm(caller % 2 ? app : replica, '/oauth/token', form)),
      );
      winners.push(answers.filter(({ body }) => body.error === 'invalid_grant').length);
      // The callers of one address fail more than ten times in a minute, which is another answer.
      for (const { body } of answers) if (body.error !== 'invalid_grant') refused.add(body.error);
    }
    expect(winners).toEqual(Array(ASSERTIONS).fill(1));
    expect([...refused].every((error) => ['invalid_client', 'slow_down'].includes(error))).toBe(true);
  });

  it('is kept as a hash, for as long as it could be sent again', async () => {
    const jti = randomBytes(16).toString('hex');
    const exp = Math.floor(app.clock.now().getTime() / 1000) + 120;
    await postForm(app, '/oauth/token', {
      grant_type: 'x',
      ...asForm(await assertionOf(app, client.id, client.pair, { jti, exp })),
    });
    const rows = await app.sql<{ key: Buffer; expires_at: Date }>('select key, expires_at from used_assertions');
    expect(rows.every(({ key }) => key.length === 32)).toBe(true);
    expect(rows.filter(({ expires_at }) => expires_at.getTime() === (exp + 60) * 1000)).toHaveLength(1);
  });
});
