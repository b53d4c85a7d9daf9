import { startTestApp, type TestApp, type TestAppOptions } from './app.js';
import type { HttpBrowser, Visit } from './http-browser.js';
import { Idp, type IdpClient } from './idp/idp.js';
import { freePort } from './free-port.js';
import { encryptionAtRest } from './upstream/builders.js';

/** Two replicas, a company's identity provider that knows them as `acme`, and nothing about it in their configuration. */
export interface SignInSetting {
  readonly app: TestApp;
  readonly beside: TestApp;
  readonly acme: Idp;
  readonly client: IdpClient;
  close(): Promise<void>;
}

/** @param callbacks further slugs whose callbacks the company knows */
export async function startSignInSetting(
  options: TestAppOptions = {},
  callbacks: readonly string[] = [],
): Promise<SignInSetting> {
  const [acme, port] = [await Idp.start(), await freePort()];
  const issuer = `http://localhost:${port}`;
  const client = await acme.register(['acme', ...callbacks].map((slug) => `${issuer}/oidc/${slug}/callback`));
  const { VAULT_ACME = client.clientSecret, ...settings } = options.settings ?? {};
  const given = { ...options, settings: { ...encryptionAtRest, VAULT_ACME, ...settings } };
  const first = await startTestApp({
    ...given,
    settings: { ...given.settings, SERVER_ISSUER: issuer, SERVER_ADDRESS: `127.0.0.1:${port}` },
  });
  const app = { ...first, issuer, url: issuer };
  const beside = await startTestApp({ ...given, beside: app, clock: app.clock });
  const close = async (): Promise<void> => {
    await beside.close();
    await app.close();
    await acme.stop();
  };
  return { app, beside, acme, client, close };
}

/** What an operator says of it. */
export const signInDraft = ({ acme, client }: SignInSetting, more: object = {}): Record<string, unknown> => ({
  slug: 'acme',
  display_name: 'Acme',
  issuer: acme.origin,
  client_id: client.clientId,
  client_secret: client.clientSecret,
  ...more,
});

/** From our button to what our callback answers. */
export async function enterAt(
  { app, acme }: SignInSetting,
  browser: HttpBrowser,
  login: string,
  slug = 'acme',
): Promise<Visit> {
  const begun = await browser.get(`${app.issuer}/oidc/${slug}/start`);
  return browser.get((await acme.signIn(browser, begun, login)).location ?? '');
}
