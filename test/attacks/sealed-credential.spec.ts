import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import {
  aConnection,
  aProvider,
  aVending,
  aWorld,
  letUse,
  reseal,
  startBrokerApp,
  stateOf,
  type Vending,
  type World,
} from '../brokering.js';

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

const vended = async (): Promise<unknown[]> => app.sql('select jti from issuances where kid is null');

describe('a sealed credential', () => {
  type Row = { sealed_credential: string };
  const sealedOf = async (id: string): Promise<string> =>
    (await app.sql<Row>('select sealed_credential from connections where id = $1', [id]))[0]!.sealed_credential;
  const seal = (id: string, sealed: string) =>
    app.sql('update connections set sealed_credential = $2 where id = $1', [id, sealed]);

  /** What the operator sees of it. */
  async function healthOf(id: string): Promise<any> {
    const { body } = await app.admin('GET', '/admin/connections?limit=1000');
    return body.connections.find((connection: { id: string }) => connection.id === id);
  }

  async function expectUnreadable({ ask, connection }: Vending): Promise<void> {
    const before = [await vended(), world.proxy.seen.length];
    const { status, body, headers } = await ask();
    expect([status, body.error, body.error_description]).toEqual([503, 'temporarily_unavailable', 'try again']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect([await vended(), world.proxy.seen.length]).toEqual(before);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active', version: 1, mark: null });
    expect((await healthOf(connection.id)).last_failure).toBe('vault_unreadable');
    const told = app.logged.filter((line) => line.includes('vault_unreadable') && line.includes(connection.id));
    expect(told.length).toBeGreaterThan(0);
  }

  it('does not open in another person’s row, in another provider’s, or in another row of the same', async () => {
    const [mine, theirs] = [await aVending(app, world), await aVending(app, world)];
    await seal(mine.connection.id, await sealedOf(theirs.connection.id));
    await expectUnreadable(mine);

    const { at, source } = theirs;
    const second = await aProvider(app, world);
    const moved = await aConnection(app, world, { userId: at.user.id, provider: second });
    await letUse(app, { userId: at.user.id, provider: second }, source);
    await app.sql('update resources set broker_provider_id = $2 where id = $1', [theirs.target.id, second.id]);
    await app.sql('update policy_epoch set epoch = epoch + 1');
    await seal(moved.id, await sealedOf(theirs.connection.id));
    await expectUnreadable({ ...theirs, connection: moved });

    const third = await aVending(app, world);
    const former = await sealedOf(third.connection.id);
    await app.sql(`update connections set status = 'disconnected' where id = $1`, [third.connection.id]);
    const again = await aConnection(app, world, { userId: third.at.user.id, provider: third.provider });
    await seal(again.id, former);
    await expectUnreadable({ ...third, connection: again });
  });

  it.each([
    ['is refreshed', ({ connection }: Vending) => ({ refreshToken: connection.refreshToken })],
    ['is an access token that nothing renews', () => ({ accessToken: 'planted' })],
  ])('that does not open is on record as failing until it opens again, also one that %s', async (_, credential) => {
    const vending = await aVending(app, world);
    const { id } = vending.connection;
    const place = { id, userId: vending.at.user.id, providerId: vending.provider.id };
    await reseal(app, place, credential(vending));
    const good = await sealedOf(id);
    await seal(id, `${good.slice(0, -4)}AAAA`);
    await expectUnreadable(vending);
    const since = app.clock.now().toISOString();
    expect(await healthOf(id)).toMatchObject({ status: 'active', failing_since: since });
    app.clock.advance(1);
    await expectUnreadable(vending);
    expect(await healthOf(id)).toMatchObject({ failing_since: since });

    await seal(id, good);
    expect((await vending.ask()).status).toBe(200);
    const { failing_since: failingSince, last_failure: lastFailure } = await healthOf(id);
    expect([failingSince, lastFailure]).toEqual([undefined, undefined]);
  });

  it('does not open after a bit was turned, nor under a key that is gone', async () => {
    const vending = await aVending(app, world);
    const sealed = await sealedOf(vending.connection.id);
    const [version, keyId, text] = sealed.split('.') as [string, string, string];
    const bytes = Buffer.from(text, 'base64url');
    bytes[bytes.length - 1]! ^= 1;
    await seal(vending.connection.id, [version, keyId, bytes.toString('base64url')].join('.'));
    await expectUnreadable(vending);
    await seal(vending.connection.id, [version, '00000000', text].join('.'));
    await expectUnreadable(vending);
    await seal(vending.connection.id, sealed);
    expect((await vending.ask()).status).toBe(200);
  });

  it('is used again when a kept access token does not open', async () => {
    const [mine, theirs] = [await aVending(app, world), await aVending(app, world)];
    const [first, stolen] = [await mine.ask(), await theirs.ask()];
    await app.sql(
      'update connections set sealed_access_token = (select sealed_access_token from connections where id = $2) where id = $1',
      [mine.connection.id, theirs.connection.id],
    );
    const { status, body } = await mine.ask();
    expect(status).toBe(200);
    expect([first.body.access_token, stolen.body.access_token]).not.toContain(body.access_token);
    expect((await world.upstream.me(body.access_token)).status).toBe(200);
  });
});
