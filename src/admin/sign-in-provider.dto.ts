import { parseJson } from '#libs/oauth';
import { DEFAULT_PROVIDER } from '../accounts/identity-provider.js';
import type { SignInProvider } from '../accounts/sign-in-provider.js';
import type { Config } from '../config/config.js';
import {
  describeOidcProvider,
  OidcMembersWrong,
  readOidcProvider,
  type OidcMembers,
} from '../config/stored-oidc-provider.js';
import { invalidRequest } from './problem.js';

interface SignInProviderView {
  readonly slug: string;
  /** `config`: read-only here. */
  readonly source: 'api' | 'config';
  readonly [member: string]: unknown;
}

/** @param body a JSON text in which no member occurs twice */
export function toMembers(body: string): OidcMembers {
  const value: unknown = parseJson(body);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as OidcMembers;
  throw invalidRequest('the body must be a JSON object');
}

/** Every setting as it is in force. Nothing of the secret, not even that there is one. */
export const toSignInProviderView = (
  { slug, settings, enabled, createdAt, updatedAt }: SignInProvider,
  config: Config,
): SignInProviderView => ({
  slug,
  source: 'api',
  enabled,
  redirect_uri: `${config.server.issuer}/oidc/${slug}/callback`,
  ...inForce(slug, settings, config),
  created_at: createdAt.toISOString(),
  updated_at: updatedAt.toISOString(),
});

export function configuredViews({ oidc, server }: Config): SignInProviderView[] {
  const view = (slug: string, settings: object, redirectUri: string): SignInProviderView => ({
    slug,
    source: 'config',
    enabled: true,
    redirect_uri: redirectUri,
    ...describeOidcProvider(settings),
  });
  const own = oidc.redirectUri ?? `${server.issuer}/oidc/callback`;
  return [
    ...(oidc.enabled ? [view(DEFAULT_PROVIDER, oidc, own)] : []),
    ...oidc.providers.map((one) => view(one.slug, one, `${server.issuer}/oidc/${one.slug}/callback`)),
  ];
}

/** A row that no longer passes, since the configuration changed around it, is shown as it lies there: it has to be mended. */
function inForce(slug: string, settings: OidcMembers, config: Config): OidcMembers {
  try {
    return describeOidcProvider(readOidcProvider({ ...settings, slug }, config));
  } catch (error) {
    if (error instanceof OidcMembersWrong) return { ...settings, problem: error.message };
    throw error;
  }
}
