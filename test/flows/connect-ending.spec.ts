import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aWorld, startBrokerApp, type World } from '../brokering.js';
import {
  aConnecting,
  aLink,
  connected,
  connectionsOf,
  openAs,
  press,
  signedIn,
  toCallback,
  type Connecting,
} from '../connecting.js';
import { HttpBrowser } from '../http-browser.js';

let world: World;
let app: TestApp;
let at: Connecting;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world, { CONNECT_ALLOWED_RETURN_URLS: 'https://app.example/back?x=1' });
});
afterAll(async () => {
  await app.close();
  await world.end();
});
beforeEach(async () => {
  at = await aConnecting(app, world);
});

describe('the end of a connect flow', () => {
  it('sends the person on, too, who denied, here or upstream', async () => {
    const returnUrl = 'https://app.example/back?x=1';
    const url = `${aLink(at)}&${new URLSearchParams({ return_url: returnUrl })}`;
    const { browser, page } = await openAs(app, at.user, url);
    const denied = await press(browser, page, { decision: 'deny' });
    expect([denied.status, denied.response.headers.get('location')]).toEqual([303, returnUrl]);
    const { done } = await connected(at, { url, browser, deny: true });
    expect([done.status, done.response.headers.get('location')]).toEqual([303, returnUrl]);
    expect(await connectionsOf(at)).toEqual([]);
  });

  it('leaves nothing of code and state in the address of its last page, which is for that session alone', async () => {
    const { browser, callback } = await toCallback(at);
    const onward = await browser.get(callback);
    expect([onward.status, onward.location]).toEqual([
      303,
      expect.stringContaining(`/connect/${at.provider.slug}/done?result=`),
    ]);
    const sent = new URL(callback).searchParams;
    for (const name of ['code', 'state']) expect(onward.location).not.toContain(sent.get(name));
    for (let n = 0; n < 2; n += 1) expect((await browser.get(onward.location!)).html).toContain('may now use your');
    const another = await signedIn(app, at.user);
    for (const [by, url] of [
      [another, onward.location!],
      [browser, `${onward.location!.slice(0, -6)}AAAAAA`],
      [new HttpBrowser(), onward.location!],
    ] as const)
      expect((await by.get(url)).location).toBe(`${app.issuer}/connections`);
  });
});
