import type { Config } from './config.js';
import { missingOf } from './oidc-rules.js';
import { OidcProviderSettings } from './oidc-settings.js';
import { isSecretReference, secretReferenceRule } from './secret-references.js';
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
export function readOidcProvider(members: OidcMembers, config: Config): OidcProviderSettings {
  requireBounded(members);
  const reader = new SettingsReader({}, false);
  const provider = reader.read(OidcProviderSettings, members);
  reader.validate(provider);
  const { issuer, clientSecretRef } = provider;
  const problems = [...reader.problems, ...missingOf(provider, config)];
  if (issuer !== undefined && issuer.replace(/\/$/, '') === config.server.issuer)
    problems.push('issuer must not be this server');
  if (clientSecretRef !== undefined && !isSecretReference(clientSecretRef))
    problems.push(`client_secret_ref ${secretReferenceRule}`);
  if (problems.length > 0) throw new OidcMembersWrong(problems.join('; '));
  return provider;
}

/** As it may be shown: every setting that is no secret, as it would be written in YAML. */
export function describeOidcProvider(provider: object): OidcMembers {
  const shown = settingsOf(OidcProviderSettings)
    .filter(({ secret, key }) => !secret && key !== 'slug')
    .map(({ key, property, kind }): [string, unknown] => {
      const value = (provider as OidcMembers)[property];
      if (kind === 'duration' && typeof value === 'number') return [key, `${value}s`];
      return [key, kind === 'json' && typeof value === 'string' ? JSON.parse(value) : value];
    });
  return Object.fromEntries(shown.filter(([, value]) => value !== undefined));
}

/** Before anything looks at it: what an operator sends is as long as they like. */
function requireBounded(members: OidcMembers): void {
  for (const [name, value] of Object.entries(members)) {
    const shown = /^[\w.-]{1,64}$/.test(name) ? name : 'a member';
    const texts = textsOf(value);
    if (texts.length > MAX_ENTRIES) throw new OidcMembersWrong(`${shown} must have at most ${MAX_ENTRIES} entries`);
    if (texts.some((text) => text.length > MAX_TEXT))
      throw new OidcMembersWrong(`${shown} must be at most ${MAX_TEXT} characters`);
    if (![name, ...texts].every((text) => plain.test(text)))
      throw new OidcMembersWrong(`${shown} must not contain control characters`);
  }
}

/** Every text in a value, names of members among them, however deep. */
function textsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(textsOf);
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? [value] : [];
  return Object.entries(value).flatMap(([name, member]) => [name, ...textsOf(member)]);
}
