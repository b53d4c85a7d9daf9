import { startTestApp, type TestApp, type TestAppOptions } from './app.js';
import { HttpBrowser, type Visit } from './http-browser.js';
import { Idp, type IdpClient } from './idp/idp.js';
import { freePort } from './server-process.js';

/** This server with the identity providers of two companies, `acme` and `globex`. */
export interface Federation {
  readonly app: TestApp;
  readonly acme: Idp;
  readonly globex: Idp;
  readonly acmeClient: IdpClient;
  close(): Promise<void>;
}

/**
 * @param more members of `oidc` in YAML
 * @param provider members of the provider acme
 */
export async function startFederation({
  more = '',
  provider = '',
  options = {},
}: { more?: string; provider?: string; options?: TestAppOptions } = {}): Promise<Federation> {
  const [acme, globex, port] = [await Idp.start(), await Idp.start(), await freePort()];
  const issuer = `http://localhost:${port}`;
  const acmeClient = await acme.register([`${issuer}/oidc/acme/callback`], {
    post_logout_redirect_uris: [`${issuer}/login`],
  });
  const globexClient = await globex.register([`${issuer}/oidc/globex/callback`]);
  const entry = (slug: string, { origin }: Idp, { clientId, clientSecret }: IdpClient): string =>
    `    - { slug: ${slug}, display_name: ${slug}, issuer: '${origin}', client_id: '${clientId}', client_secret: '${clientSecret}'`;
  const yaml = [
    'oidc:',
    ...(more ? [`  ${more}`] : []),
    '  providers:',
    `${entry('acme', acme, acmeClient)}${provider ? `, ${provider}` : ''} }`,
    `${entry('globex', globex, globexClient)} }`,
  ].join('\n');
  const settings = { SERVER_ISSUER: issuer, SERVER_ADDRESS: `127.0.0.1:${port}`, ...options.settings };
  const app = await startTestApp({ ...options, yaml, settings });
  const close = async (): Promise<void> => {
    await app.close();
    await Promise.all([acme.stop(), globex.stop()]);
  };
  return { app: { ...app, issuer, url: issuer }, acme, globex, acmeClient, close };
}

/** Begins at our sign-in page. @returns the redirect to the provider */
export const begin = ({ app }: Federation, browser: HttpBrowser, slug = 'acme', request?: string): Promise<Visit> =>
  browser.get(`${app.issuer}/oidc/${slug}/start${request ? `?request=${encodeURIComponent(request)}` : ''}`);

/** The redirect of the provider back to us, not yet followed. */
export async function there(
  at: Federation,
  browser: HttpBrowser,
  login: string,
  slug: 'acme' | 'globex' = 'acme',
): Promise<string> {
  return (await at[slug].signIn(browser, await begin(at, browser, slug), login)).location ?? '';
}

/** The whole way. @returns what our callback answers */
export const arrive = async (
  at: Federation,
  browser: HttpBrowser,
  login: string,
  slug: 'acme' | 'globex' = 'acme',
): Promise<Visit> => browser.get(await there(at, browser, login, slug));
