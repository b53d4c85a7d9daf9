import type { Config } from './config.js';
import { parseDuration } from './duration.js';
import type { OidcProviderSettings, OidcSettings } from './oidc-settings.js';

/** What an identity provider cannot do without, whichever way it is configured; each line begins with the setting. */
export function missingOf(
  { issuer, clientId, recheck }: OidcSettings | OidcProviderSettings,
  { isLocal, server, dataEncryption }: Pick<Config, 'isLocal' | 'server' | 'dataEncryption'>,
): string[] {
  const problems: string[] = [];
  if (issuer === undefined) problems.push('issuer is required');
  else if (issuer.startsWith('http:') && !isLocal && URL.canParse(server.issuer))
    problems.push('issuer must be https unless the issuer is on localhost');
  if (clientId === undefined) problems.push('client_id is required');
  if ((parseDuration(recheck) ?? 0) >= 60 && !dataEncryption.driver)
    problems.push(
      'recheck needs encryption at rest, since refresh tokens of the provider are kept for it: set data_encryption.driver to aes_master or vault_transit_encrypt, or recheck to off',
    );
  return problems;
}
