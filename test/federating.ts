import { startTestApp, type TestApp, type TestAppOptions } from './app.js';
import { HttpBrowser, type Visit } from './http-browser.js';
import { Idp, type IdpClient } from './idp/idp.js';
import { freePort } from './free-port.js';

/** What a provider with `recheck` needs: refresh tokens of it are kept. */
export const SEALING = {
  DATA_ENCRYPTION_DRIVER: 'aes_master',
  DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_TEST_MASTER',
  TEST_MASTER: 'ab'.repeat(32),
};

/** This server with the identity providers of two companies, `acme` and `globex`. */
export interface Federation {
  readonly app: TestApp;
  readonly acme: Idp;
  readonly globex: Idp;
  readonly acmeClient: IdpClient;
  readonly globexClient: IdpClient;
  /** The configuration file, for a second replica. */
  readonly yaml: string;
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
  const registered = (idp: Idp, slug: string): Promise<IdpClient> =>
    idp.register([`${issuer}/oidc/${slug}/callback`], {
      grant_types: ['authorization_code', 'refresh_token'],
      post_logout_redirect_uris: [`${issuer}/login`],
      backchannel_logout_uri: `${issuer}/oidc/${slug}/backchannel-logout`,
      backchannel_logout_session_required: true,
    });
  const [acmeClient, globexClient] = [await registered(acme, 'acme'), await registered(globex, 'globex')];
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
  return { app: { ...app, issuer, url: issuer }, acme, globex, acmeClient, globexClient, yaml, close };
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
