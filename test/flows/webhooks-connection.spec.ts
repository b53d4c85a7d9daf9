import { expect, it } from 'vitest';
import { aWorld, startBrokerApp } from '../brokering.js';
import { aConnecting, connected, connectionsOf } from '../connecting.js';
import { aReceiver } from '../receiver.js';

it('webhooks are told that a connection is over, and why, whoever ended it', async () => {
  const [world, receiver] = [await aWorld(), await aReceiver()];
  const app = await startBrokerApp(
    world,
    { HOOK: receiver.secret },
    `webhooks: [{ name: ops, url: '${receiver.url}', secret_env: AUTHPLANE_HOOK, events: [connection.revoked] }]`,
  );
  const [byPerson, byOperator] = [await aConnecting(app, world), await aConnecting(app, world)];
  const [{ browser }] = [await connected(byPerson), await connected(byOperator)];
  const [[own], [other]] = [await connectionsOf(byPerson), await connectionsOf(byOperator)];

  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const headers = { cookie, 'sec-fetch-site': 'same-origin', origin: app.issuer };
  const path = `/connections/${byPerson.provider.slug}`;
  expect((await fetch(`${app.issuer}${path}`, { method: 'DELETE', headers })).status).toBe(204);
  expect((await app.admin('DELETE', `/admin/grants/broker/${other.id}`)).status).toBe(204);

  const told = (): unknown[] => receiver.taken('connection.revoked').map(({ message }) => message.data);
  await expect.poll(() => told().length).toBe(2);
  expect(told()).toContainEqual({
    connection_id: own.id,
    user_id: byPerson.user.id,
    provider_id: byPerson.provider.id,
    reason: 'disconnected_by_user',
  });
  expect(told()).toContainEqual({
    connection_id: other.id,
    user_id: byOperator.user.id,
    provider_id: byOperator.provider.id,
    reason: 'revoked_by_operator',
  });
  await app.close();
  await receiver.close();
  await world.end();
});
