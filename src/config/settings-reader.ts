import { validateSync, type ValidationError } from 'class-validator';
import { parseDuration } from './duration.js';
import { nearest } from './nearest.js';
import { settingsOf, type Setting, type SettingKind, type SettingsClass } from './setting.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const separators = /[\s,]+/;
const placeholder = /\$\{[^}]*\}/;

/** AUTHPLANE_ and the YAML path, unless the setting says otherwise; undefined inside YAML lists. */
export function envName(setting: Setting, path: string): string | undefined {
  if (setting.env === false || path.includes('[')) return undefined;
  return setting.env ?? `AUTHPLANE_${path.toUpperCase().replaceAll('.', '_')}`;
}

/**
 * Fills a tree of settings classes: defaults, then YAML, then the environment, where an empty variable counts as unset.
 *
 * Never throws: what is wrong becomes a line in `problems`, naming the key, and the default stands in for it.
 */
export class SettingsReader {
  readonly problems: string[] = [];
  /** How each value was written, and where, for lines about it. Secrets are left out. */
  private readonly written = new Map<string, string>();

  /** @param quotes whether lines say what was written; not where it may be somebody's secret in the wrong place */
  constructor(
    private readonly env: Environment,
    private readonly quotes = true,
  ) {}

  read<T extends object>(settingsClass: new () => T, node: unknown, path = ''): T {
    const section = new settingsClass();
    const yaml = this.mapping(node, path);
    const settings = settingsOf(settingsClass);
    this.refuseUnknown(yaml, settings, path);
    for (const setting of settings) {
      const at = path ? `${path}.${setting.key}` : setting.key;
      if (setting.ignored) continue;
      const value = this.value(setting, yaml[setting.key], at);
      Object.defineProperty(section, setting.property, {
        value,
        enumerable: !setting.secret,
        configurable: true,
        writable: true,
      });
    }
    return section;
  }

  /** Runs the class-validator decorators of a filled tree. */
  validate(section: object, path = ''): void {
    this.describe(validateSync(section, { forbidUnknownValues: false }), path);
  }

  private value(setting: Setting, node: unknown, at: string): unknown {
    if (setting.kind === 'section') return this.read(classOf(setting), node, at);
    if (setting.kind === 'records') return this.readRecords(setting, node, at);
    const variable = envName(setting, at);
    const fromEnv = variable === undefined ? undefined : this.env[variable] || undefined;
    const raw = fromEnv ?? (node === null || node === '' ? undefined : node);
    const fallback = setting.default === undefined ? undefined : parse(setting.kind, setting.default);
    if (raw === undefined) return fallback;
    if (fromEnv === undefined && holdsPlaceholder(raw)) {
      const way = variable === undefined ? '' : `, or set ${variable}`;
      this.problems.push(`${at} is still a placeholder: nothing replaced the \${...} in it. Put the value there${way}`);
      return fallback;
    }
    if (this.quotes && !setting.secret) this.remember(at, raw, fromEnv === undefined ? undefined : variable);
    const value = fromEnv === undefined ? parse(setting.kind, raw) : parseText(setting.kind, fromEnv.trim());
    if (value !== undefined) return value;
    this.problems.push(`${at} ${expectation[setting.kind]}${this.but(at)}`);
    return fallback;
  }

  private readRecords(setting: Setting, node: unknown, at: string): unknown[] {
    if (node === undefined || node === null) return [];
    if (Array.isArray(node)) return node.map((entry, index) => this.read(classOf(setting), entry, `${at}[${index}]`));
    this.problems.push(`${at} must be a list`);
    return [];
  }

  private mapping(node: unknown, path: string): Readonly<Record<string, unknown>> {
    if (node === undefined || node === null) return {};
    if (typeof node === 'object' && !Array.isArray(node)) return { ...node };
    this.problems.push(`${path || 'the configuration file'} must be a mapping of settings`);
    return {};
  }

  private refuseUnknown(yaml: Readonly<Record<string, unknown>>, settings: readonly Setting[], path: string): void {
    const keys = settings.map(({ key }) => key);
    for (const key of Object.keys(yaml).filter((written) => !keys.includes(written))) {
      const below = path ? `${path}.` : '';
      const meant = nearest(key, keys);
      const advice = meant
        ? `did you mean ${below}${meant}?`
        : `allowed ${path ? `in ${path}` : 'here'}: ${keys.join(', ')}`;
      this.problems.push(`${below}${key.slice(0, 100)} is not a setting; ${advice}`);
    }
  }

  private describe(errors: readonly ValidationError[], path: string): void {
    for (const { target, property, constraints, children } of errors) {
      const setting =
        target && settingsOf(target.constructor as SettingsClass).find((one) => one.property === property);
      const below = path ? `${path}.` : '';
      const at = Array.isArray(target) ? `${path}[${property}]` : `${below}${setting?.key ?? property}`;
      for (const message of Object.values(constraints ?? {})) this.problems.push(`${at} ${message}${this.but(at)}`);
      this.describe(children ?? [], at);
    }
  }

  private remember(at: string, raw: unknown, variable: string | undefined): void {
    const text = typeof raw === 'string' ? raw : JSON.stringify(raw);
    this.written.set(at, `${text.slice(0, 100)}${variable === undefined ? '' : ` (${variable})`}`);
  }

  private but(at: string): string {
    const written = this.written.get(at);
    return written === undefined ? '' : `, not ${written}`;
  }
}

const expectation: Readonly<Record<SettingKind, string>> = {
  text: 'must be text: put quotes around it',
  boolean: 'must be true or false',
  integer: 'must be a whole number',
  number: 'must be a number',
  duration: 'must be a duration such as 30s, 10m, 1h30m or 7d',
  list: 'must be a list of texts',
  json: 'must be a mapping, or text that is a JSON object',
  section: 'must be a mapping of settings',
  records: 'must be a list',
};

/** A YAML scalar or list as its kind; undefined when it is of another. */
function parse(kind: SettingKind, raw: unknown): unknown {
  if (kind === 'json') return objectText(raw);
  if (Array.isArray(raw)) return kind === 'list' && raw.every((entry) => typeof entry === 'string') ? raw : undefined;
  if (typeof raw === 'string')
    return kind === 'boolean' || kind === 'integer' || kind === 'number' ? undefined : parseText(kind, raw);
  if (typeof raw === 'boolean') return kind === 'boolean' ? raw : undefined;
  if (typeof raw !== 'number') return undefined;
  if (kind === 'integer') return Number.isSafeInteger(raw) ? raw : undefined;
  if (kind === 'duration') return raw === 0 ? 0 : undefined;
  return kind === 'number' && Number.isFinite(raw) ? raw : undefined;
}

function parseText(kind: SettingKind, text: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'boolean':
      return ({ true: true, '1': true, false: false, '0': false } as Record<string, boolean>)[text.toLowerCase()];
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
    case 'number':
      return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
    case 'duration':
      return parseDuration(text);
    case 'json':
      return objectText(text);
    case 'list':
      return text.split(separators).filter((entry) => entry !== '');
    default:
      return undefined;
  }
}

/** What is text already stays byte for byte. */
function objectText(raw: unknown): string | undefined {
  try {
    const value: unknown = typeof raw === 'string' ? JSON.parse(raw) : raw;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return typeof raw === 'string' ? raw : JSON.stringify(raw);
  } catch {
    return undefined;
  }
}

function holdsPlaceholder(raw: unknown): boolean {
  if (typeof raw === 'object' && raw !== null) return Object.values(raw).some(holdsPlaceholder);
  return typeof raw === 'string' && placeholder.test(raw);
}

function classOf(setting: Setting): SettingsClass {
  return (setting.of as () => SettingsClass)();
}
