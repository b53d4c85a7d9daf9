import type { OidcProviderSettings, OidcSettings } from './oidc-settings.js';
import type { Environment } from './settings-reader.js';
import { isSecretReference, secretReferenceRule } from './secret-references.js';

/**
 * Puts client secrets that are named into the place of those that are written out. Not enumerable, as every secret.
 *
 * @returns what is wrong
 */
export function resolveOidcSecrets(oidc: OidcSettings, env: Environment): string[] {
  const { clientSecretEnv } = oidc;
  const own = oidc.enabled ? resolve(oidc, 'oidc', env, clientSecretEnv) : [];
  return [...own, ...oidc.providers.flatMap((provider, index) => resolve(provider, `oidc.providers[${index}]`, env))];
}

function resolve(
  provider: OidcSettings | OidcProviderSettings,
  at: string,
  env: Environment,
  anyName?: string,
): string[] {
  const { clientSecret, clientSecretRef } = provider;
  if ([clientSecret, clientSecretRef, anyName].filter((form) => form !== undefined).length > 1)
    return [`${at}: client_secret and a reference to it are both set; keep one`];
  const name = clientSecretRef ?? anyName;
  if (name === undefined) return [];
  if (clientSecretRef !== undefined && !isSecretReference(clientSecretRef))
    return [`${at}.client_secret_ref ${secretReferenceRule}`];
  const value = env[name];
  if (!value) return [`${at}: the variable ${name} is not set`];
  Object.defineProperty(provider, 'clientSecret', { value, enumerable: false });
  return [];
}
