import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { aFlow, authorizeUrl, aUser, pkce } from '../builders.js';
import { startFederation, type Federation } from '../federating.js';
import { closeBrowser, withPage } from './chromium.js';

let at: Federation;

beforeAll(async () => {
  at = await startFederation({ provider: 'hosted_domains: [corp.example]' });
});

afterAll(async () => {
  await closeBrowser();
  await at.close();
});

const title = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();

async function signInAs(page: Page, login: string): Promise<void> {
  await page.getByRole('button', { name: 'Continue with acme' }).click();
  await page.locator('input[name="login"]').fill(login);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

describe('a person of the company in a real browser', () => {
  it('signs in there once on the way to consent, and the next time without being asked anything', async () => {
    const flow = await aFlow(at.app);
    await withPage(async (page) => {
      await page.goto(authorizeUrl(flow, pkce().challenge));
      await title(page, 'Sign in');
      await signInAs(page, 'ada');
      await page.getByRole('button', { name: 'Allow' }).waitFor();
      await page.getByText('ada@corp.example').waitFor();

      await page.goto(`${at.app.issuer}/account`);
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await title(page, 'Sign in');
      await page.getByRole('button', { name: 'Continue with acme' }).click();
      await page.waitForURL(`${at.app.issuer}/account`);
      await page.getByText('ada@corp.example').first().waitFor();
    });
  });

  it('is signed out here when they sign out at the company’s own page', async () => {
    await withPage(async (page) => {
      await page.goto(`${at.app.issuer}/login`);
      await signInAs(page, 'grace');
      await page.waitForURL(`${at.app.issuer}/account`);

      await page.goto(`${at.acme.origin}/session/end`);
      await page.getByRole('button', { name: 'Yes, sign me out' }).click();
      await page.getByText('Sign-out Success').waitFor();

      await page.goto(`${at.app.issuer}/account`);
      await title(page, 'Sign in');
      await page.getByRole('button', { name: 'Continue with acme' }).click();
      await page.locator('input[name="login"]').waitFor();
    });
  });

  it('of another domain reads why not, and is not signed in', async () => {
    await at.acme.set({ people: { eve: { hd: 'elsewhere.example' } } });
    await withPage(async (page) => {
      await page.goto(`${at.app.issuer}/login`);
      await signInAs(page, 'eve');
      await page.getByText('This account may not sign in here').waitFor();
      await page.goto(`${at.app.issuer}/account`);
      await title(page, 'Sign in');
    });
  });

  it('with the address of another account reads what to do', async () => {
    const local = await aUser(at.app);
    await at.acme.set({ people: { double: { email: local.email } } });
    await withPage(async (page) => {
      await page.goto(`${at.app.issuer}/login`);
      await signInAs(page, 'double');
      await page.getByText('Another account here has your e-mail address').waitFor();
      await page.getByRole('link', { name: 'What this means and how to fix it' }).click();
      await page.getByText('/admin/users/{id}/identities').first().waitFor();
    });
  });
});
