import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { TestApp } from '../app.js';
import { aVending, aWorld, credentialOf, startBrokerApp, type World } from '../brokering.js';
import { aConnecting, connectionsOf, toCallback } from '../connecting.js';

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world);
});
afterAll(async () => {
  await app.close();
  await world.end();
});

/** Everything in the database, as a dump would show it. */
async function dump(): Promise<string> {
  const tables = await app.sql<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_schema in ('public', 'bullmq') and table_type = 'BASE TABLE'`,
  );
  const rows = await Promise.all(tables.map(({ name }) => app.sql(`select t::text as row from ${name} t`)));
  return JSON.stringify(rows);
}

/** Upstream may be asked again, and the agents' tokens live on. */
const patienceOver = (): Promise<unknown> => app.sql('update connections set retry_at = null');

const spellings = (value: string): string[] => [
  value,
  encodeURIComponent(value),
  Buffer.from(value).toString('base64'),
  Buffer.from(value).toString('base64url'),
  Buffer.from(value).toString('hex'),
  value.slice(8, 28),
];
const found = (text: string, secrets: ReadonlyMap<string, string>): string[] =>
  [...secrets].filter(([, value]) => spellings(value).some((each) => text.includes(each))).map(([name]) => name);

describe('logs, audit, errors, the operator’s answers and a dump of the database', () => {
  it('hold no credential, no upstream token and no secret of ours at upstream, whatever happens', async () => {
    const secrets = new Map([['our secret at upstream', world.client.clientSecret]]);
    const answers: string[] = [];
    const vendings = [await aVending(app, world), await aVending(app, world), await aVending(app, world)] as const;
    const [well, badly, never] = vendings;
    for (const [index, { connection }] of vendings.entries())
      secrets.set(`credential ${index}`, connection.refreshToken);

    const { body: first } = await well.ask();
    app.clock.advance(541);
    const { body: second } = await well.ask();
    secrets.set('token 1', first.access_token).set('token 2', second.access_token);
    secrets.set('new credential', (await credentialOf(app, well.connection.id)).refreshToken!);

    // Upstream repeats what it was sent, in every way of refusing it.
    const echo = JSON.stringify({ error: 'invalid_scope', error_description: badly.connection.refreshToken });
    const code = JSON.stringify({ error: badly.connection.refreshToken });
    for (const [status, body] of [
      [400, echo],
      [500, echo],
      [200, echo],
      [200, badly.connection.refreshToken],
      [429, echo],
      [302, code],
    ] as const) {
      world.proxy.next({ kind: 'answer', status, body, headers: { location: `/${badly.connection.refreshToken}` } });
      answers.push(JSON.stringify((await badly.ask()).body));
      await patienceOver();
    }
    world.proxy.next({ kind: 'drop_after' });
    answers.push(JSON.stringify((await never.ask()).body));
    await patienceOver();
    answers.push(JSON.stringify((await never.ask()).body));

    for (const { server, at } of vendings) {
      const { status, body } = await app.admin('GET', `/admin/issuances?client=${server.id}`);
      expect(status).toBe(200);
      answers.push(JSON.stringify(body));
      answers.push(JSON.stringify((await app.admin('GET', `/admin/users/${at.user.id}/grants`)).body));
    }
    answers.push(JSON.stringify((await app.admin('GET', '/admin/audit?limit=1000')).body));

    expect(secrets.size).toBe(7);
    expect(found(answers.join('\n'), secrets)).toEqual([]);
    expect(found(app.logged.join('\n'), secrets)).toEqual([]);
    const all = await dump();
    expect(found(all, secrets)).toEqual([]);
    // The search does look where credentials lie.
    const [row] = await app.sql<{ sealed: string }>(
      'select sealed_credential as sealed from connections where id = $1',
      [well.connection.id],
    );
    expect(found(all, new Map([['sealed', row!.sealed]]))).toEqual(['sealed']);
    expect(app.logged.some((line) => line.includes('upstream_misconfigured'))).toBe(true);
    expect(all.includes('refresh_outcome_lost')).toBe(true);
  });

  it('nor do they when an account is connected, fails to be, and is ended', async () => {
    const secrets = new Map<string, string>();
    const pages: string[] = [];
    const config = { token_auth_method: 'client_secret_post', client_secret: 'planted-client-secret-4711' };
    const revocation_url = `${world.proxy.origin}/token/revocation`;
    const [well, badly] = [
      await aConnecting(app, world, { config: { revocation_url } }),
      await aConnecting(app, world, { config: { ...config, revocation_url } }),
    ] as const;
    secrets.set('inline secret', config.client_secret);
    for (const at of [well, badly]) {
      const { browser, callback } = await toCallback(at);
      const query = new URL(callback).searchParams;
      secrets.set(`code of ${at.provider.slug}`, query.get('code')!).set(at.provider.slug, query.get('state')!);
      const echo = JSON.stringify({ error: query.get('code'), error_description: query.get('code') });
      if (at === badly) world.proxy.next({ kind: 'answer', status: 400, body: echo });
      const end = await browser.get(callback);
      pages.push(end.html);
      expect(end.status).toBe(at === badly ? 503 : 303);
      if (end.location) pages.push((await browser.get(end.location)).html);
      pages.push((await browser.get(callback)).html, (await browser.get(`${app.issuer}/account`)).html);
    }
    const [connection] = await connectionsOf(well);
    const credential = (await credentialOf(app, connection.id)).refreshToken!;
    secrets.set('credential', credential);
    world.proxy.always({ kind: 'answer', status: 400, body: JSON.stringify({ error: credential }) });
    expect((await app.admin('DELETE', `/admin/users/${well.user.id}?force=true`)).status).toBe(204);
    const job = `/admin/jobs/upstream-revocation_${connection.id}`;
    await vi.waitFor(async () => expect((await app.admin('GET', job)).body.last_error).toBeDefined(), 30_000);
    world.proxy.always();
    const paths = [job, '/admin/jobs', '/admin/connections', '/admin/broker-providers', '/admin/audit?limit=1000'];
    const answers = await Promise.all(paths.map((path) => app.admin('GET', path)));

    expect(secrets.size).toBe(6);
    expect(found([...pages, JSON.stringify(answers)].join('\n'), secrets)).toEqual([]);
    expect(found(app.logged.join('\n'), secrets)).toEqual([]);
    const all = await dump();
    expect(found(all, secrets)).toEqual([]);
    expect(all).toContain(`upstream-revocation_${connection.id}`);
  });
});
