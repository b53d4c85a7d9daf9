import type { OidcProviderSettings, OidcSettings } from './oidc-settings.js';

/** What an identity provider cannot do without, whichever way it is configured; each line begins with the setting. */
export function missingOf(
  { issuer, clientId }: OidcSettings | OidcProviderSettings,
  own: { readonly isLocal: boolean; readonly issuer: string },
): string[] {
  const problems: string[] = [];
  if (issuer === undefined) problems.push('issuer is required');
  else if (issuer.startsWith('http:') && !own.isLocal && URL.canParse(own.issuer))
    problems.push('issuer must be https unless the issuer is on localhost');
  if (clientId === undefined) problems.push('client_id is required');
  return problems;
}
