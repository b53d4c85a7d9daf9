import { generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aConfidentialClient, introspect } from '../builders.js';
import { moves } from '../metrics.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

it('tokens with made-up kids have the keys read once a second at most', async () => {
  const client = await aConfidentialClient(app);
  const { privateKey } = await generateKeyPair('ES256');
  const made = (i: number) =>
    new SignJWT({ iss: app.issuer }).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: `made-up-${i}` });
  const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => made(i).sign(privateKey)));
  const introspected = async (some: string[]) => Promise.all(some.map((token) => introspect(app, token, client)));
  const moved = await moves(app, async () => {
    for (const some of [tokens.slice(0, 10), tokens.slice(10)])
      for (const told of await introspected(some)) expect(told).toEqual({ active: false });
  });
  expect(moved['authserver_key_reload_duration_seconds_count']).toBe(1);
});
