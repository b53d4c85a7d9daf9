import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aConfidentialClient, aFlow, introspect, postForm, refresh, tokensOf } from '../builders.js';
import { startPortSwitch, type PortSwitch } from '../port-switch.js';
import { startPostgresPair, type PostgresPair } from '../postgres-pair.js';
import { startRefreshing } from '../refreshing.js';
import { until } from '../until.js';

const LANES = 6;
/** Jobs are done elsewhere: what happens to the queue is another question. */
const settings = { RATE_LIMIT_ENABLED: 'false', SERVER_ROLE: 'server' };

let pair: PostgresPair;
let line: PortSwitch;
let app: TestApp | undefined;

beforeEach(async () => {
  pair = await startPostgresPair();
  line = await startPortSwitch(pair.primary.port);
});
afterEach(async () => {
  await app?.close();
  await line.stop();
  await pair.stop();
});

/** The pair as an operator names it; the way to the primary leads over the line. */
const throughLine = (): string => pair.dsn.replace(`:${pair.primary.port}`, `:${line.port}`);

const oddOf = (seen: readonly string[]): string[] =>
  seen.filter((answer) => !['200', '503 temporarily_unavailable'].includes(answer));

const ready = async (): Promise<unknown[]> => {
  const answer = await fetch(`${app!.issuer}/ready`);
  return [answer.status, ((await answer.json()) as { database: string }).database];
};

describe('a PostgreSQL with a synchronous standby', () => {
  it.each([
    ['is killed', () => pair.primary.kill()],
    ['is frozen', async () => pair.primary.freeze()],
    ['can no longer be reached', async () => line.swallow()],
  ])('[K5] whose primary %s is followed to the standby, and nothing that was acknowledged is lost', async (_, fail) => {
    app = await startTestApp({ connection: { dsn: throughLine() }, settings });
    const load = await startRefreshing(app, LANES);
    await load.untilAllSucceed();
    await fail();
    await pair.promote();
    const promoted = performance.now();
    await load.untilAllSucceed();
    const back = Math.round(performance.now() - promoted);
    expect(await load.stop()).toEqual(Array.from({ length: LANES }, () => '200'));
    expect(oddOf(load.seen)).toEqual([]);
    expect(back).toBeLessThan(8_000);
    expect(load.slowestMillis()).toBeLessThan(6_000);
    expect(await ready()).toEqual([200, 'ok']);
  });

  it('[K5] whose name leads elsewhere is found there, also where one name is all that is known', async () => {
    app = await startTestApp({
      connection: { dsn: pair.primary.dsn.replace(`:${pair.primary.port}`, `:${line.port}`) },
      settings,
    });
    const load = await startRefreshing(app, LANES);
    await load.untilAllSucceed();
    line.point(pair.standby.port);
    await pair.primary.stop();
    // The name leads to a standby still: it answers, and takes nothing.
    await until('it is away', ready, [503, 'down']);
    await pair.promote();
    await load.untilAllSucceed();
    expect(await load.stop()).toEqual(Array.from({ length: LANES }, () => '200'));
    expect(oddOf(load.seen)).toEqual([]);
    expect(await ready()).toEqual([200, 'ok']);
  });

  it('[K5] whose primary takes no writes any more is away, whoever asks, and works again by itself', async () => {
    app = await startTestApp({ connection: { dsn: pair.dsn }, settings });
    const caller = await aConfidentialClient(app);
    const load = await startRefreshing(app, LANES);
    await load.untilAllSucceed();
    await pair.primary.sql('alter system set default_transaction_read_only = on');
    await pair.primary.sql('select pg_reload_conf()');
    await until('it is away', ready, [503, 'down']);
    const { status, headers, body } = await postForm(app, '/oauth/introspect', { token: 'ap_at_x' }, caller);
    expect([status, body.error, headers.get('retry-after')]).toEqual([503, 'temporarily_unavailable', '2']);
    await pair.primary.sql('alter system reset default_transaction_read_only');
    await pair.primary.sql('select pg_reload_conf()');
    await load.untilAllSucceed();
    expect(await load.stop()).toEqual(Array.from({ length: LANES }, () => '200'));
    expect(oddOf(load.seen)).toEqual([]);
    expect(await introspect(app, 'ap_at_x', caller)).toEqual({ active: false });
  });

  it('that comes back writable beside its successor is passed over', async () => {
    app = await startTestApp({ connection: { dsn: pair.dsn }, settings });
    await pair.primary.kill();
    await pair.promote();
    await until('it is back', ready, [200, 'ok']);
    await pair.primary.start();
    // Whoever connects anew has the choice between the two.
    const other = await startTestApp({ beside: app, settings });
    const { body } = await other.admin('POST', '/admin/resources', {
      slug: 'notes',
      uri: 'https://notes.example/mcp',
      backend_kind: 'mint',
      display_name: 'Notes',
      scopes: [],
    });
    const here = `select count(*)::int as n from resources where id = '${body.id}'`;
    await other.close();
    expect(await pair.standby.sql(here)).toEqual([{ n: 1 }]);
    expect(await pair.primary.sql(here)).toEqual([{ n: 0 }]);
  });

  it.each([
    ['waits', async () => undefined],
    ['was given up by its server', () => pair.primary.sql(END_WAITING)],
  ])(
    '[K5] without its standby acknowledges nothing: a commit that %s is unknown, and known when it is back',
    async (_, meanwhile) => {
      app = await startTestApp({ connection: { dsn: pair.dsn }, settings });
      const granted = await tokensOf(await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' }));
      const presented = granted.tokens.refresh_token as string;
      pair.standby.freeze();
      const asked = refresh(granted, presented);
      // What the server itself writes after its start may wait, too.
      await until(
        'the commit waits',
        () => pair.primary.sql<{ waiting: number }>(WAITING),
        ([row]) => row!.waiting > 0,
      );
      await meanwhile();
      const { status, body } = await asked;
      expect([status, body.error_description]).toEqual([503, 'the request may have been carried out']);
      pair.standby.thaw();
      const again = await refresh(granted, presented);
      expect(again.status).toBe(200);
      expect((await refresh(granted, again.body.refresh_token)).status).toBe(200);
    },
  );
});

const SYNC = `from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'authserver'`;
const WAITING = `select count(*)::int as waiting ${SYNC}`;
const END_WAITING = `select pg_terminate_backend(pid) ${SYNC}`;
