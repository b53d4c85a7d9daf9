import { IsIn, IsOptional, Max, MaxLength, Min, ValidateNested } from 'class-validator';
import { parseDuration } from './duration.js';

export type SettingKind =
  'text' | 'boolean' | 'integer' | 'number' | 'duration' | 'list' | 'json' | 'section' | 'records';
export type SettingsClass = new () => object;

interface About {
  /** One sentence for the generated reference. */
  readonly about: string;
  /** Shown as default where the real one depends on other settings. */
  readonly defaultText?: string;
  /** The environment variable, where it is not AUTHPLANE_ + the YAML path; `false` where there is none. */
  readonly env?: string | false;
  /** Never shown in a problem line. */
  readonly secret?: true;
}

interface Bounded<T> extends About {
  readonly default?: T;
  readonly min?: T;
  readonly max?: T;
}

/** What is known about one property of a settings class. */
export interface Setting extends About {
  readonly property: string;
  readonly key: string;
  readonly kind: SettingKind;
  /** As it would be typed in YAML; undefined = unset. */
  readonly default?: unknown;
  readonly oneOf?: readonly string[];
  readonly min?: number | string;
  readonly max?: number | string;
  /** The class of a section, or of each record. */
  readonly of?: () => SettingsClass;
  /** Accepted so that older files still load; the value is not read. */
  readonly ignored?: true;
}

const settingsOfClass = new WeakMap<object, Setting[]>();

/** The settings of a class, in the order they are written; those of the class it extends first. */
export function settingsOf(settingsClass: SettingsClass): readonly Setting[] {
  const parent: unknown = Object.getPrototypeOf(settingsClass);
  const inherited = typeof parent === 'function' && parent.prototype ? settingsOf(parent as SettingsClass) : [];
  return [...inherited, ...(settingsOfClass.get(settingsClass.prototype) ?? [])];
}

function declare(setting: Omit<Setting, 'property'>, ...checks: PropertyDecorator[]): PropertyDecorator {
  return (target, property) => {
    const known = settingsOfClass.get(target) ?? [];
    settingsOfClass.set(target, [...known, { ...setting, property: String(property) }]);
    if (setting.default === undefined) IsOptional()(target, property);
    for (const check of checks) check(target, property);
  };
}

export function text(key: string, options: About & { default?: string; oneOf?: readonly string[] }): PropertyDecorator {
  const checks = [MaxLength(4096, { message: 'is longer than 4096 characters' })];
  if (options.oneOf) checks.push(IsIn([...options.oneOf], { message: `must be one of ${options.oneOf.join(', ')}` }));
  return declare({ kind: 'text', key, ...options }, ...checks);
}

export function boolean(key: string, options: About & { default: boolean }): PropertyDecorator {
  return declare({ kind: 'boolean', key, ...options });
}

/** Comma- or space-separated in the environment, a list in YAML. */
export function list(key: string, options: About & { default?: readonly string[] }): PropertyDecorator {
  return declare({ kind: 'list', key, default: [], ...options });
}

/** An object whose members others check: a mapping in YAML, or JSON; read as JSON. */
export function json(key: string, options: About): PropertyDecorator {
  return declare({ kind: 'json', key, default: '{}', ...options });
}

export function integer(key: string, options: Bounded<number>): PropertyDecorator {
  return declare({ kind: 'integer', key, ...options }, ...bounds(options, Number));
}

export function number(key: string, options: Bounded<number>): PropertyDecorator {
  return declare({ kind: 'number', key, ...options }, ...bounds(options, Number));
}

/** Written `1h30m`, read as a number of seconds: the property's name ends in `Seconds`. */
export function duration(key: string, options: Bounded<string>): PropertyDecorator {
  return declare(
    { kind: 'duration', key, ...options },
    ...bounds(options, (written) => parseDuration(String(written))),
  );
}

export function section(key: string, of: () => SettingsClass, about: string): PropertyDecorator {
  return declare({ kind: 'section', key, of, about, default: {} }, ValidateNested());
}

/** A YAML list of objects; the environment has no spelling for it. */
export function records(key: string, of: () => SettingsClass, about: string): PropertyDecorator {
  return declare({ kind: 'records', key, of, about, default: [], env: false }, ValidateNested({ each: true }));
}

/** A key that older files carry and that no longer does anything. */
export function ignored(key: string, about: string): PropertyDecorator {
  return declare({ kind: 'text', key, about, ignored: true });
}

function bounds<T>(options: Bounded<T>, toNumber: (bound: T) => number | undefined): PropertyDecorator[] {
  const { min, max } = options;
  const range = [min === undefined ? '' : `at least ${String(min)}`, max === undefined ? '' : `at most ${String(max)}`];
  const message = `must be ${range.filter(Boolean).join(' and ')}`;
  return [
    ...(min === undefined ? [] : [Min(toNumber(min) ?? Number.NaN, { message })]),
    ...(max === undefined ? [] : [Max(toNumber(max) ?? Number.NaN, { message })]),
  ];
}
