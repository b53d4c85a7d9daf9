import type { Config } from './config.js';
import type { OidcProviderSettings, OidcSettings } from './oidc-settings.js';

/** What an identity provider cannot do without, whichever way it is configured; each line begins with the setting. */
export function missingOf(
  { issuer, clientId }: OidcSettings | OidcProviderSettings,
  { isLocal, server }: Pick<Config, 'isLocal' | 'server'>,
): string[] {
  const problems: string[] = [];
  if (issuer === undefined) problems.push('issuer is required');
  else if (issuer.startsWith('http:') && !isLocal && URL.canParse(server.issuer))
    problems.push('issuer must be https unless the issuer is on localhost');
  if (clientId === undefined) problems.push('client_id is required');
  return problems;
}
