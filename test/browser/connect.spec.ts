import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aBrokerResource, aWorld, startBrokerApp, type World } from '../brokering.js';
import { aResource, type UserFixture } from '../builders.js';
import { aConnectProvider } from '../connecting.js';
import { anAgent, exchange, letActAs, outcome, started } from '../exchanges.js';
import { closeBrowser, withPage } from './chromium.js';

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world);
});
afterAll(async () => {
  await closeBrowser();
  await app.close();
  await world.end();
});

const SCOPES = [
  { name: 'repo:read', description: 'Read your repositories' },
  { name: 'repo:write', description: 'Change your repositories' },
];

/** An agent with a person's token for an MCP server, which wants the person's account at a provider that nobody has connected. */
async function aStory() {
  const source = await aResource(app, { display_name: 'Repositories server', scopes: SCOPES });
  const [at, server, provider] = await Promise.all([
    started(app, { resource: source, scope: 'repo:read repo:write' }),
    anAgent(app),
    aConnectProvider(app, world),
  ]);
  await letActAs(app, source, server);
  const target = await aBrokerResource(app, provider, { scopes: SCOPES });
  const ask = (scope = 'repo:read repo:write') => exchange(app, server, at.token, { resource: target.uri, scope });
  return { at, source, provider, target, ask };
}

async function signIn(page: Page, { email, password }: UserFixture): Promise<void> {
  await page.locator('input[name="email"]').fill(email);
  await page.locator('input[name="password"]').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Continues to upstream, signs in there where it asks, and allows what is not left out. */
async function throughUpstream(page: Page, without: readonly string[] = []): Promise<void> {
  await page.getByRole('button', { name: 'Continue' }).click();
  const login = page.locator('input[name="login"]');
  const allow = page.getByRole('button', { name: 'Allow' });
  await login.or(allow).first().waitFor();
  if (await login.isVisible()) {
    await login.fill('ada');
    await page.getByRole('button', { name: 'Sign in' }).click();
  }
  for (const scope of without) await page.getByLabel(scope).uncheck();
  await allow.click();
}

const title = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();

describe('a person in a real browser', () => {
  it('[U3] is asked for by an agent, connects an account, and the same request succeeds; less upstream is asked for again', async () => {
    const { at, provider, ask } = await aStory();
    const refused = await ask();
    expect(refused.body).toMatchObject({ error: 'consent_required', cause: 'consent_missing' });
    expect(refused.body.consent_url).toContain(`${app.issuer}/connect/${provider.slug}?request=`);

    await withPage(async (page) => {
      await page.goto(refused.body.consent_url);
      await signIn(page, at.user);
      await title(page, 'Let Repositories server use your Acme account?');
      await page.getByText(new URL(world.upstream.origin).host).waitFor();
      await throughUpstream(page, ['repo:write']);
      await title(page, 'Connected');
      await page.getByText('gave less than was asked for').waitFor();

      const narrow = await ask('repo:read');
      expect(outcome(narrow)).toEqual([200, 'repo:read']);
      expect(await world.upstream.me(narrow.body.access_token)).toMatchObject({ login: 'ada', scope: 'repo:read' });

      const insufficient = await ask();
      expect(insufficient.body).toMatchObject({ error: 'consent_required', cause: 'scope_insufficient' });
      await page.goto(insufficient.body.consent_url);
      await title(page, 'Let Repositories server use your Acme account?');
      await throughUpstream(page);
      await title(page, 'Connected');
      const wide = await ask();
      expect(outcome(wide)).toEqual([200, 'repo:read repo:write']);
      expect(await world.upstream.me(wide.body.access_token)).toMatchObject({ scope: 'repo:read repo:write' });

      await page.goto(`${app.issuer}/account`);
      const accounts = page.getByRole('region', { name: 'Connected accounts' });
      expect(await accounts.textContent()).toMatch(/Acme ada.*Repositories server may use/s);
      await accounts.getByRole('button', { name: 'Disconnect Acme' }).click();
      await page.getByText('The account was disconnected.').waitFor();
      expect((await ask()).body).toMatchObject({ error: 'consent_required', cause: 'consent_missing' });
    });
  });

  it('lets a second server use the account from a page of ours, without going to the provider', async () => {
    const first = await aStory();
    const { at, target } = first;
    await withPage(async (page) => {
      await page.goto((await first.ask()).body.consent_url);
      await signIn(page, at.user);
      await throughUpstream(page);
      await title(page, 'Connected');

      const source = await aResource(app, { display_name: 'Second server', scopes: SCOPES });
      const second = await anAgent(app);
      await letActAs(app, source, second);
      const token = await started(app, { resource: source, user: at.user, scope: 'repo:read' });
      const ask = () => exchange(app, second, token.token, { resource: target.uri, scope: 'repo:read' });
      const asked = await ask();
      expect(asked.body).toMatchObject({ error: 'consent_required' });
      await page.goto(asked.body.consent_url);
      await title(page, 'Let Second server use your Acme account?');
      await page.getByText('Acme gives all or nothing').waitFor();
      await page.getByRole('button', { name: 'Allow' }).click();
      await title(page, 'Connected');
      // As the page said: what upstream cannot narrow is named as it is (W45).
      expect(outcome(await ask())).toEqual([200, 'repo:read repo:write']);
      expect(page.url().startsWith(app.issuer)).toBe(true);
    });
  });
});
