import { parse } from 'yaml';
import { Config } from './config.js';
import { settingsOf, type Setting, type SettingKind, type SettingsClass } from './setting.js';

type Schema = Readonly<Record<string, unknown>>;

/**
 * helm/authplane/values.schema.json: below `config` what the settings classes say, elsewhere the shape that the defaults in values.yaml
 * have. It finds what is misspelled or of the wrong kind before anything is installed; the rest is found by the chart and the server.
 */
export function renderValuesSchema(valuesYaml: string): string {
  const values = shapeOf(parse(valuesYaml) as unknown, '');
  const properties = { ...(values['properties'] as Record<string, Schema>) };
  properties['config'] = sectionSchema(Config, 'The configuration file of the server.');
  // Helm gives these to every chart that others depend on.
  properties['global'] = { type: 'object' };
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $comment:
      'Generated from src/config and values.yaml: UPDATE_REFERENCE=1 npx vitest run src/config/values-schema.spec.ts',
    ...values,
    properties,
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** Objects that Kubernetes defines, although they have a default here. */
const ofKubernetes =
  /^(podSecurityContext|securityContext|updateStrategy|(startup|readiness|liveness)Probe|dashboards\.labels)$/;
/** Numbers that may be shares. */
const shares = /(minAvailable|maxUnavailable)$/;

const narrowed: Readonly<Record<string, Schema>> = {
  replicaCount: { type: 'integer', minimum: 0 },
  'image.pullPolicy': { enum: ['Always', 'IfNotPresent', 'Never'] },
  'image.digest': { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
  'service.type': { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
  'externalDatabase.port': { type: ['integer', 'string'], pattern: '^[0-9]{1,5}$' },
  'externalDatabase.sslmode': { enum: ['disable', 'no-verify', 'require', 'verify-ca', 'verify-full'] },
  'externalRedis.url': { type: 'string', pattern: '^(rediss?://.+)?$' },
  'secrets.sessionSecret': { type: 'string', pattern: '^(.{32,})?$' },
  'secrets.adminApiKey': { type: 'string', pattern: '^(.{16,})?$' },
  'secrets.dataEncryption.aesMasterKey': { type: 'string', pattern: '^([0-9a-fA-F]{64})?$' },
  'secrets.dataEncryption.aesMasterOldKey': { type: 'string', pattern: '^([0-9a-fA-F]{64})?$' },
  'vault.signing.authMethod': { enum: ['', 'token', 'approle'] },
  'persistence.accessMode': { enum: ['ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany'] },
  'externalSecrets.secretStoreRef.kind': { enum: ['SecretStore', 'ClusterSecretStore'] },
  'serviceAccount.projectedToken.expirationSeconds': { type: 'integer', minimum: 600 },
  'prometheusRule.runbookBaseUrl': { type: 'string', pattern: '^(https?://.+)?$' },
  'autoscaling.targetMemoryUtilizationPercentage': { type: ['integer', 'null'] },
};

/** What a default looks like, at its path; an empty mapping is open, one with keys has no others. */
function shapeOf(value: unknown, path: string): Schema {
  if (narrowed[path]) return narrowed[path];
  if (shares.test(path)) return { type: ['integer', 'string', 'null'] };
  if (Array.isArray(value)) return { type: 'array' };
  if (typeof value !== 'object' || value === null) return { type: scalar(value) };
  const entries = Object.entries(value);
  if (entries.length === 0 || ofKubernetes.test(path)) return { type: 'object' };
  const below = entries.map(([key, entry]) => [key, shapeOf(entry, path ? `${path}.${key}` : key)] as const);
  return { type: 'object', additionalProperties: false, properties: Object.fromEntries(below) };
}

function scalar(value: unknown): string | string[] {
  if (typeof value === 'number') return 'integer';
  return typeof value === 'boolean' ? 'boolean' : 'string';
}

function sectionSchema(settingsClass: SettingsClass, about: string): Schema {
  const properties = settingsOf(settingsClass).map((setting) => [setting.key, settingSchema(setting)] as const);
  return {
    type: ['object', 'null'],
    description: about,
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}

/** Null and the empty text count as unset everywhere, as in the file that the server reads. */
function settingSchema(setting: Setting): Schema {
  if (setting.ignored) return { description: `Accepted and ignored. ${setting.about}` };
  if (setting.kind === 'section') return sectionSchema(classOf(setting), setting.about);
  if (setting.kind === 'records')
    return {
      type: ['array', 'null'],
      description: setting.about,
      items: sectionSchema(classOf(setting), setting.about),
    };
  if (setting.oneOf) return { enum: [...setting.oneOf, '', null], description: setting.about };
  return { ...kinds[setting.kind], ...bounds(setting), description: setting.about };
}

const kinds: Readonly<Record<Exclude<SettingKind, 'section' | 'records'>, Schema>> = {
  text: { type: ['string', 'null'], maxLength: 4096 },
  boolean: { type: ['boolean', 'null'] },
  integer: { type: ['integer', 'null'] },
  number: { type: ['number', 'null'] },
  duration: {
    type: ['string', 'integer', 'null'],
    pattern: '^(0|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$',
    maximum: 0,
  },
  list: { type: ['array', 'string', 'null'], items: { type: 'string' } },
  json: { type: ['object', 'string', 'null'] },
};

function bounds({ kind, min, max }: Setting): Schema {
  if (kind !== 'integer' && kind !== 'number') return {};
  return { ...(min === undefined ? {} : { minimum: min }), ...(max === undefined ? {} : { maximum: max }) };
}

function classOf(setting: Setting): SettingsClass {
  return (setting.of as () => SettingsClass)();
}
