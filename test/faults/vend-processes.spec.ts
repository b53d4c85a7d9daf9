import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SettableClock, type TestApp } from '../app.js';
import type { TokenResponse } from '../builders.js';
import { aVending, aWorld, credentialOf, stateOf, type Vending, type World } from '../brokering.js';
import { exchange, outcome } from '../exchanges.js';
import { untilWaitingFor } from '../held-lock.js';
import { freshDatabase, temporaryDirectory } from '../postgres.js';
import { freePort } from '../free-port.js';
import { startServerProcess, type ServerProcess } from '../server-process.js';
import { withClient } from '../../src/platform/postgres/connection.js';

const data = temporaryDirectory();
const never = new Promise<never>(() => {});
let world: World;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let issuer: string;
let one: TestApp & ServerProcess;
let other: TestApp & ServerProcess;

/** A process of the built server on the one database. */
async function aProcess(port?: number): Promise<TestApp & ServerProcess> {
  const { host, port: postgresPort, user, database: name } = database.connection;
  const dsn = `postgres://${user}@localhost:${postgresPort}/${name}?host=${encodeURIComponent(host)}`;
  const settings = Object.entries(world.settings).map(([key, value]) => [`AUTHPLANE_${key}`, value]);
  const ports = { public: port ?? (await freePort()), admin: await freePort() };
  issuer ??= `http://localhost:${ports.public}`;
  const server = await startServerProcess({
    dataDir: `${data.path}/data`,
    ports,
    env: {
      AUTHPLANE_SERVER_ISSUER: issuer,
      AUTHPLANE_STORAGE_DRIVER: 'postgres',
      AUTHPLANE_STORAGE_POSTGRES_DSN: dsn,
      // Opened ones stay open: on a busy machine opening many at once alone can take longer than a request waits.
      AUTHPLANE_STORAGE_POSTGRES_MIN_CONNS: '25',
      AUTHPLANE_TOKEN_EXCHANGE_ENABLED: 'true',
      AUTHPLANE_RATE_LIMIT_ENABLED: 'false',
      ...Object.fromEntries(settings),
    },
  });
  const sql: TestApp['sql'] = (text, values) =>
    withClient(database.connection, async (client) => (await client.query(text, values)).rows);
  return { ...server, issuer, sql, clock: new SettableClock() } as unknown as TestApp & ServerProcess;
}

beforeAll(async () => {
  [world, database] = await Promise.all([aWorld(), freshDatabase()]);
  one = await aProcess();
  other = await aProcess();
  await Promise.all([one, other].map(opened));
});
afterAll(async () => {
  await Promise.all([one.end('SIGTERM'), other.end('SIGTERM')]);
  await database.drop();
  await world.end();
  data.remove();
});

/** Has opened as many connections to the database as it will. */
async function opened({ url }: TestApp): Promise<void> {
  for (;;) {
    const asking = Array.from({ length: 100 }, () => fetch(`${url}/oauth/authorize?client_id=nobody`));
    if ((await Promise.all(asking)).every(({ status }) => status < 500)) return;
  }
}

const asked = async (): Promise<number> => (await world.upstream.requests()).refresh_token;
/** A client that does as it is told: on a machine too busy to reach its own database, it is told to try again. */
async function vendedAt(vending: Vending, process: TestApp): Promise<TokenResponse> {
  for (;;) {
    const answer = await askAt(vending, process);
    if (answer.status !== 503) return answer;
  }
}

/** Because of upstream, or of the waiting for it: those who were told to try again were told so for the database. */
function expectNobodySentAway(): void {
  const told = [...one.output, ...other.output].filter((line) => line.includes('upstream token not vended'));
  expect(told).toEqual([]);
}

const askAt = ({ at, server, target }: Vending, process: TestApp) =>
  exchange(process, server, at.token, { resource: target.uri });

/** The kept token is as good as over. */
const expire = ({ connection }: Vending): Promise<unknown> =>
  one.sql('update connections set access_token_expires_at = now() where id = $1', [connection.id]);

describe('200 vends of one connection at once, over two processes', { timeout: 120_000 }, () => {
  it('ask a rotating upstream exactly once per expiry, and all of them get a token that works', async () => {
    const vending = await aVending(one, world);
    const [askedBefore, refusedBefore] = [await asked(), (await world.upstream.refused()).refresh_token];
    const credentials = new Set([vending.connection.refreshToken]);
    const tokens = new Set<string>();
    for (let round = 1; round <= 3; round += 1) {
      if (round > 1) await expire(vending);
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => vendedAt(vending, n % 2 === 0 ? one : other)),
      );
      expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
      for (const { body } of answers) tokens.add(body.access_token);
      expect(await asked()).toBe(askedBefore + round);
      expect(tokens.size).toBe(round);
      expect((await world.upstream.me([...tokens].at(-1)!)).status).toBe(200);
      credentials.add((await credentialOf(one, vending.connection.id)).refreshToken!);
      expect(credentials.size).toBe(round + 1);
    }
    expect((await world.upstream.refused()).refresh_token).toBe(refusedBefore);
    expectNobodySentAway();
    expect(await stateOf(one, vending.connection)).toMatchObject({ status: 'active', version: 4, mark: null });
    const [row] = await one.sql<{ n: number }>('select count(*)::int as n from issuances where connection_id = $1', [
      vending.connection.id,
    ]);
    expect(row!.n).toBe(600);
  });

  it('also while the refresh takes its time, and the other process has to wait for it', async () => {
    const vending = await aVending(one, world);
    let release = (): void => {};
    world.proxy.next({ kind: 'hold', until: new Promise<void>((resolve) => (release = resolve)) });
    const before = await asked();
    const first = vendedAt(vending, one);
    while ((await asked()) === before);
    const waiting = Array.from({ length: 199 }, (_, n) => vendedAt(vending, n % 2 === 0 ? other : one));
    // The other process has looked, too, and found the connection held.
    await other.admin('GET', '/admin/clients');
    release();
    const answers = await Promise.all([first, ...waiting]);
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.access_token}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(200);
    expect(await asked()).toBe(before + 1);
    expectNobodySentAway();
  });

  it('of many connections do not use up the connections to the database', async () => {
    const vendings: Vending[] = [];
    while (vendings.length < 12) vendings.push(await aVending(one, world));
    let release = (): void => {};
    const until = new Promise<void>((resolve) => (release = resolve));
    world.proxy.always({ kind: 'hold', until, when: 'before' });
    const arrived = world.proxy.arrived(world.proxy.seen.length + 8);
    const asking = vendings.map((vending) => askAt(vending, one));
    await arrived;
    // While eight refreshes wait for upstream, everything else goes on.
    const plain = await Promise.all(Array.from({ length: 20 }, () => one.admin('GET', '/admin/clients')));
    expect(plain.every(({ status }) => status === 200)).toBe(true);
    world.proxy.always();
    release();
    expect((await Promise.all(asking)).map(({ status }) => status)).toEqual(vendings.map(() => 200));
  });
});

describe('a refresh that takes longer than whoever asks is kept waiting', { timeout: 120_000 }, () => {
  /** Upstream has rotated the credential, and its answer is held back. */
  async function aSlowRefreshAt(process: TestApp, vending: Vending) {
    let release = (): void => {};
    world.proxy.next({ kind: 'hold', until: new Promise<void>((resolve) => (release = resolve)) });
    const before = await asked();
    const asking = askAt(vending, process);
    while ((await asked()) === before);
    return { asking, release, before };
  }

  it('is the only one, over all processes: the others tell to come back, too', async () => {
    const vending = await aVending(one, world);
    const { asking, release, before } = await aSlowRefreshAt(one, vending);
    const answers = await Promise.all([asking, askAt(vending, other), askAt(vending, one)]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(await asked()).toBe(before + 1);
    release();
    await expect.poll(async () => (await askAt(vending, other)).status, { timeout: 10_000 }).toBe(200);
    const [there, here] = await Promise.all([askAt(vending, other), askAt(vending, one)]);
    expect(here.body.access_token).toBe(there.body.access_token);
    expect(await asked()).toBe(before + 1);
  });

  it('is waited for by a process that is asked to stop', async () => {
    const vending = await aVending(one, world);
    const stopping = await aProcess();
    const { asking, release, before } = await aSlowRefreshAt(stopping, vending);
    const ended = stopping.end('SIGTERM');
    expect((await asking).status).toBe(503);
    while (!(await isClosed(stopping)));
    expect(await stateOf(one, vending.connection)).toMatchObject({ version: 1, mark: 1 });
    release();
    expect(await ended).toBe(0);
    expect(await stateOf(one, vending.connection)).toMatchObject({ status: 'active', version: 2, mark: null });
    expect((await askAt(vending, one)).status).toBe(200);
    expect(await asked()).toBe(before + 1);
  });

  /** Whether nobody is listening any more. */
  const isClosed = ({ url }: TestApp): Promise<boolean> =>
    fetch(`${url}/livez`).then(
      () => false,
      () => true,
    );
});

describe('a process that is killed in the middle of a vend', { timeout: 120_000 }, () => {
  let victim: TestApp & ServerProcess;
  async function aVictim(): Promise<Vending> {
    victim = await aProcess();
    return aVending(one, world);
  }

  it('before upstream is asked: the connection works', async () => {
    const vending = await aVictim();
    world.proxy.next({ kind: 'hold', until: never, when: 'before' });
    const arrived = world.proxy.arrived(world.proxy.seen.length + 1);
    const before = await asked();
    const lost = askAt(vending, victim).catch(() => 'lost');
    await arrived;
    await victim.end('SIGKILL');
    expect(await lost).toBe('lost');
    expect(await stateOf(one, vending.connection)).toMatchObject({ version: 1, mark: 1, status: 'active' });
    expect(outcome(await askAt(vending, one))).toEqual([200, 'repo:read repo:write']);
    expect(await asked()).toBe(before + 1);
    expect(await stateOf(one, vending.connection)).toMatchObject({ version: 2, mark: null, status: 'active' });
  });

  it('after upstream’s answer and before the commit: the connection must be made again, and says why', async () => {
    const vending = await aVictim();
    world.proxy.next({ kind: 'hold', until: never, when: 'after' });
    const before = await asked();
    const lost = askAt(vending, victim).catch(() => 'lost');
    while ((await asked()) === before);
    await victim.end('SIGKILL');
    expect(await lost).toBe('lost');
    const { status, body } = await askAt(vending, one);
    expect([status, body.error, body.cause]).toEqual([400, 'consent_required', 'consent_missing']);
    expect(body.consent_url).toContain(`/connect/${vending.provider.slug}?request=`);
    expect(await stateOf(one, vending.connection)).toMatchObject({
      status: 'reconnect_required',
      status_reason: 'refresh_outcome_lost',
      mark: null,
    });
    const after = await asked();
    await Promise.all([askAt(vending, one), askAt(vending, other)]);
    expect(await asked()).toBe(after);
  });

  it('after that, where upstream bears a repetition: the connection works', async () => {
    const vending = await aVictim();
    await world.upstream.set({ rotate: false });
    world.proxy.next({ kind: 'hold', until: never, when: 'after' });
    const before = await asked();
    const lost = askAt(vending, victim).catch(() => 'lost');
    while ((await asked()) === before);
    await victim.end('SIGKILL');
    await lost;
    expect((await askAt(vending, one)).status).toBe(200);
    expect(await stateOf(one, vending.connection)).toMatchObject({ status: 'active', version: 2, mark: null });
    await world.upstream.set({ rotate: true });
  });

  it('after the commit and before the answer: the connection works, and upstream is not asked again', async () => {
    const vending = await aVictim();
    const before = await asked();
    let lost: Promise<unknown> = Promise.resolve();
    await withClient(database.connection, async (holder) => {
      let release = (): void => {};
      world.proxy.next({ kind: 'hold', until: new Promise<void>((resolve) => (release = resolve)) });
      lost = askAt(vending, victim).catch(() => 'lost');
      while ((await asked()) === before);
      // Not before: reading the subject token needs the table, too.
      await holder.query('begin');
      await holder.query('lock table issuances in access exclusive mode');
      release();
      await untilWaitingFor(holder, 1);
      await victim.end('SIGKILL');
      await holder.query('rollback');
    });
    expect(await lost).toBe('lost');
    expect(await stateOf(one, vending.connection)).toMatchObject({
      status: 'active',
      version: 2,
      mark: null,
      kept: true,
    });
    expect((await credentialOf(one, vending.connection.id)).refreshToken).not.toBe(vending.connection.refreshToken);
    const { status, body } = await askAt(vending, other);
    expect(status).toBe(200);
    expect((await world.upstream.me(body.access_token)).status).toBe(200);
    expect(await asked()).toBe(before + 1);
    await expire(vending);
    expect((await askAt(vending, one)).status).toBe(200);
  });
});
