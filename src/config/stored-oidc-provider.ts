import { missingOf } from './oidc-rules.js';
import { OidcProviderSettings } from './oidc-settings.js';
import { isSecretReference } from './secret-references.js';
import { settingsOf } from './setting.js';
import { SettingsReader } from './settings-reader.js';

/** Members of an identity provider by their names in YAML. */
export type OidcMembers = Readonly<Record<string, unknown>>;

/** What is wrong with the members of an identity provider. It names members, and what they may be. */
export class OidcMembersWrong extends Error {
  override readonly name = 'OidcMembersWrong';
}

const MAX_ENTRIES = 100;
const MAX_TEXT = 2048;

/** PostgreSQL cannot store U+0000 or half of a surrogate pair, and no setting needs a control character. */
const plain = /^[^\p{Cc}\p{Cs}]*$/u;

/**
 * Reads an identity provider that lies in the database as one of the configuration is read: the same settings, defaults and checks.
 *
 * @param members without a secret; null takes a value away, as in YAML
 * @throws OidcMembersWrong
 */
export function readOidcProvider(
  members: OidcMembers,
  own: { readonly isLocal: boolean; readonly issuer: string },
): OidcProviderSettings {
  requireBounded(members);
  const reader = new SettingsReader({}, false);
  const provider = reader.read(OidcProviderSettings, members);
  reader.validate(provider);
  const { issuer, clientSecretRef } = provider;
  const problems = [...reader.problems, ...missingOf(provider, own)];
  if (issuer !== undefined && issuer.replace(/\/$/, '') === own.issuer) problems.push('issuer must not be this server');
  if (clientSecretRef !== undefined && !isSecretReference(clientSecretRef))
    problems.push('client_secret_ref must name a variable CONNECTOR_… or AUTHPLANE_VAULT_…');
  if (problems.length > 0) throw new OidcMembersWrong(problems.join('; '));
  return provider;
}

/** As it may be shown: every setting that is no secret, durations as they are written. */
export function describeOidcProvider(provider: object): OidcMembers {
  const shown = settingsOf(OidcProviderSettings)
    .filter(({ secret, key }) => !secret && key !== 'slug')
    .map(({ key, property, kind }): [string, unknown] => {
      const value = (provider as OidcMembers)[property];
      return [key, kind === 'duration' && typeof value === 'number' ? `${value}s` : value];
    });
  return Object.fromEntries(shown.filter(([, value]) => value !== undefined));
}

/** Before anything looks at it: what an operator sends is as long as they like. */
function requireBounded(members: OidcMembers): void {
  for (const [name, value] of Object.entries(members)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    const shown = /^[\w.-]{1,64}$/.test(name) ? name : 'a member';
    if (values.length > MAX_ENTRIES) throw new OidcMembersWrong(`${shown} must have at most ${MAX_ENTRIES} entries`);
    const texts = values.filter((entry) => typeof entry === 'string');
    if (texts.some((text) => text.length > MAX_TEXT))
      throw new OidcMembersWrong(`${shown} must be at most ${MAX_TEXT} characters`);
    if (![name, ...texts].every((text) => plain.test(text)))
      throw new OidcMembersWrong(`${shown} must not contain control characters`);
  }
}
