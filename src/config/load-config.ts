import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { bootProblems } from './boot-rules.js';
import { Config } from './config.js';
import { onLoopback } from './listen-address.js';
import { resolveMasterKeys } from './master-keys.js';
import { resolveOidcSecrets } from './oidc-secrets.js';
import { providerSeedOf } from './provider-seed.js';
import { resolveVaultCredentials } from './vault-credentials.js';
import { seedOf } from './resource-seed.js';
import { SecretReferences } from './secret-references.js';
import { resolveWebhookSecrets } from './webhook-secrets.js';
import { SettingsReader, type Environment } from './settings-reader.js';

export interface ConfigSources {
  readonly env?: Environment;
  /** The file that `--config` names. */
  readonly yamlPath?: string;
  /** What relative paths are relative to. */
  readonly cwd?: string;
  /** What `--role` says, over everything else. */
  readonly role?: string | undefined;
}

/** Everything that is wrong with the configuration, one line each. */
export class ConfigMistakes extends Error {
  override readonly name = 'ConfigMistakes';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/**
 * Defaults, then YAML, then AUTHPLANE_* variables.
 *
 * On a localhost issuer `session.secret` and `admin.apiKey` may still be '' afterwards: `ensureLocalSecrets` fills them.
 *
 * @throws ConfigMistakes with every mistake at once
 */
export function loadConfig({
  env: given = process.env,
  yamlPath,
  cwd = process.cwd(),
  role,
}: ConfigSources = {}): Config {
  const env = role === undefined ? given : { ...given, AUTHPLANE_SERVER_ROLE: role };
  const reader = new SettingsReader(env);
  const config = reader.read(Config, yamlPath === undefined ? {} : readYaml(resolve(cwd, yamlPath), reader.problems));
  complete(config, cwd);
  Object.defineProperty(config, 'secretReferences', { value: new SecretReferences(env), enumerable: false });
  reader.validate(config);
  const problems = [
    ...reader.problems,
    ...resolveMasterKeys(config.dataEncryption, env),
    ...resolveVaultCredentials(config.dataEncryption, env),
    ...resolveOidcSecrets(config.oidc, env),
    ...resolveWebhookSecrets(config.webhooks, env, cwd),
    ...bootProblems(config),
  ];
  if (problems.length > 0) throw new ConfigMistakes([...new Set(problems.map(toLine))]);
  return deepFreeze(config);
}

/** What an operator wrote may be long and have line breaks; a line of a log may not. */
function toLine(problem: string): string {
  return problem.replace(/\p{Cc}+/gu, ' ').slice(0, 500);
}

function readYaml(path: string, problems: string[]): unknown {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    problems.push(
      `the configuration file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
    );
    return {};
  }
  // Without pretty errors: those quote the line, and the line may hold a secret.
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  for (const error of [...document.errors, ...document.warnings]) {
    problems.push(`${path}, line ${lines.linePos(error.pos[0]).line}: ${error.code} in YAML`);
  }
  if (document.errors.length > 0) return {};
  try {
    return document.toJS();
  } catch {
    problems.push(`${path}: too many aliases in YAML`);
    return {};
  }
}

/** Defaults that depend on other settings, and absolute paths. */
function complete(config: Config, cwd: string): void {
  const { server, storage, signing, dcr, admin, isLocal } = config;
  const dataDir = resolve(cwd, config.dataDir);
  const bound = (address: string): string => (isLocal ? onLoopback(address, config.issuerUrl) : address);
  Object.assign(config, { dataDir });
  Object.assign(server, { address: bound(server.address ?? ':9000') });
  Object.assign(admin, { address: bound(admin.address ?? (isLocal ? ':9001' : '127.0.0.1:9001')) });
  Object.assign(dcr, { mode: dcr.mode ?? (isLocal ? 'open' : 'admin_only') });
  Object.assign(storage.embedded, { path: resolve(cwd, storage.embedded.path ?? `${dataDir}/postgres`) });
  Object.assign(signing, { keyPath: resolve(cwd, signing.keyPath ?? `${dataDir}/keys`) });
  const seed = seedOf(config.resource);
  if (seed && !config.resources.some(({ uri }) => uri === seed.uri)) {
    Object.assign(config, { resources: [...config.resources, seed] });
  }
  const provider = providerSeedOf(config.brokerProvider);
  if (provider && !config.brokerProviders.some(({ slug }) => slug === provider.slug)) {
    Object.assign(config, { brokerProviders: [...config.brokerProviders, provider] });
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
