import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Webhook } from 'standardwebhooks';
import { startTestApp, type TestApp } from '../app.js';
import { audited, aUser } from '../builders.js';
import { serve, type LocalServer } from '../outgoing.js';
import { aReceiver, aSecret, type Receiver } from '../receiver.js';

let receiver: Receiver;
let mover: LocalServer;
let talker: LocalServer;
let app: TestApp;
const retired = aSecret();
beforeAll(async () => {
  receiver = await aReceiver();
  mover = await serve((_, res) => res.writeHead(307, { location: receiver.url }).end());
  talker = await serve((_, res) => res.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(200_000, 'x')));
  app = await startTestApp({
    settings: { HOOK: receiver.secret, HOOK_TWO: `${retired} ${receiver.secret}` },
    yaml: `
webhooks:
  - { name: good, url: '${receiver.url}', secret_env: AUTHPLANE_HOOK_TWO }
  - { name: moved, url: 'http://127.0.0.1:${mover.port}/hooks', secret_env: AUTHPLANE_HOOK, events: [client.deleted] }
  - { name: talker, url: 'http://127.0.0.1:${talker.port}/services/path-that-is-a-secret', secret_env: AUTHPLANE_HOOK, events: [client.deleted] }
  - { name: metadata, url: 'http://169.254.169.254/latest', secret_env: AUTHPLANE_HOOK, events: [client.deleted] }
`,
  });
});
afterAll(async () => {
  await app.close();
  await Promise.all([receiver.close(), mover.close(), talker.close()]);
});

const tested = async (name: string): Promise<any> => (await app.admin('POST', `/admin/webhooks/${name}/test`)).body;

describe('a webhook', () => {
  it('is signed so that a changed body, id or time, or another secret, is noticed', async () => {
    expect(await tested('good')).toMatchObject({ delivered: true });
    const { raw, headers } = receiver.taken('webhook.test')[0]!;
    const verify = (changed: Record<string, string>, body = raw, secret = receiver.secret): unknown =>
      new Webhook(secret).verify(body, { ...headers, ...changed });
    expect(verify({})).toMatchObject({ type: 'webhook.test' });
    expect(verify({}, raw, retired)).toMatchObject({ type: 'webhook.test' });
    const later = String(Number(headers['webhook-timestamp']) + 1);
    expect(() => verify({}, raw.replace('good', 'evil'))).toThrow('No matching signature');
    expect(() => verify({ 'webhook-id': 'another' })).toThrow('No matching signature');
    expect(() => verify({ 'webhook-timestamp': later })).toThrow('No matching signature');
    expect(() => verify({}, raw, aSecret())).toThrow('No matching signature');
  });

  it('does not follow where its receiver sends it', async () => {
    const before = receiver.received.length;
    expect(await tested('moved')).toMatchObject({ delivered: false, error: 'answered 307' });
    expect(receiver.received).toHaveLength(before);
  });

  it('that was taken is not sent again for what its receiver says besides, however much and in whatever encoding', async () => {
    expect(await tested('talker')).toMatchObject({ delivered: true });
    expect(talker.hits).toHaveLength(1);
  });

  it("does not reach the machine's own metadata service", async () => {
    expect(await tested('metadata')).toMatchObject({ delivered: false, error: 'not reached: address' });
  });

  it('says nothing that would identify a person, and no secret of ours is told or shown anywhere', async () => {
    const user = await aUser(app, { name: 'Grace Hopper' });
    await app.admin('PATCH', `/admin/users/${user.id}/disable`);
    const found = (): any => receiver.taken('user.disabled').find(({ message }) => message.data.user_id === user.id);
    await expect.poll(found).toBeDefined();
    expect(found().message.data).toEqual({ user_id: user.id });
    const shown = JSON.stringify([
      (await app.admin('GET', '/admin/webhooks')).body,
      (await app.admin('GET', '/admin/settings')).body,
      (await app.admin('GET', '/admin/jobs?state=waiting,active,delayed,completed,failed')).body,
      await audited(app, 'webhook.given_up'),
      await app.sql('select * from webhook_deliveries'),
      app.logged,
    ]);
    expect(shown).toContain(`127.0.0.1:${talker.port}`);
    expect(shown).not.toContain('path-that-is-a-secret');
    for (const secret of [receiver.secret, retired].map((text) => text.slice('whsec_'.length))) {
      const bytes = Buffer.from(secret, 'base64');
      for (const form of [secret, bytes.toString('base64url'), bytes.toString('hex'), [...bytes].join(',')])
        expect(shown).not.toContain(form);
    }
    expect(shown).not.toContain(user.email);
    expect(shown).not.toContain('Grace Hopper');
  });

  it('is for operators alone', async () => {
    for (const [method, path] of [
      ['GET', '/admin/webhooks'],
      ['POST', '/admin/webhooks/good/test'],
    ] as const) {
      expect((await fetch(`${app.adminUrl}${path}`, { method })).status).toBe(401);
      expect((await fetch(`${app.url}${path}`, { method })).status).toBe(404);
    }
  });
});
