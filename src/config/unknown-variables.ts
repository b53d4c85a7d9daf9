import { Config } from './config.js';
import { nearest } from './nearest.js';
import { isSecretReference } from './secret-references.js';
import { settingsOf, type SettingsClass } from './setting.js';
import { envName, type Environment } from './settings-reader.js';

const PREFIX = 'AUTHPLANE_';
/** Of the command line. */
const readElsewhere = /^AUTHPLANE_(ADMIN_URL|CONFIG)$/;
/** What Kubernetes tells every container about services of a name like ours. */
const ofKubernetes = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const address = /^(tcp|udp|sctp):\/\//;

interface Place {
  readonly path: string;
  /** Undefined where it is set in YAML only. */
  readonly variable: string | undefined;
}

/** Variables that look like settings and are none: whoever wrote one believes that it works. One line each, without values. */
export function unknownVariables(config: Config, env: Environment = process.env): string[] {
  const places = placesOf(Config, '');
  const known = new Set([...places.map(({ variable }) => variable), ...namedBy(config)]);
  return Object.entries(env)
    .filter(([name, value]) => name.startsWith(PREFIX) && value && !known.has(name))
    .filter(
      ([name, value]) => !readElsewhere.test(name) && !isSecretReference(name) && !isOfKubernetes(name, value ?? ''),
    )
    .map(([name]) => `${name.slice(0, 100)} is not a setting and is not read; ${adviceFor(name, places)}`);
}

const isOfKubernetes = (name: string, value: string): boolean =>
  ofKubernetes.test(name) || (name.endsWith('_PORT') && address.test(value));

/** A setting may be called by the variable that it has, or by the one that it would have by its place in the file. */
function adviceFor(name: string, places: readonly Place[]): string {
  const called = new Map<string, Place>();
  for (const place of places) called.set(variableOf(place.path), place);
  for (const place of places) if (place.variable) called.set(place.variable, place);
  const meant = called.get(nearest(name, [...called.keys()]) ?? '');
  if (!meant) return 'docs/reference/settings.md has all of them';
  return meant.variable ? `did you mean ${meant.variable}?` : `${meant.path} is set in the YAML file only`;
}

const variableOf = (path: string): string => `${PREFIX}${path.toUpperCase().replaceAll('.', '_')}`;

function placesOf(settingsClass: SettingsClass, path: string): Place[] {
  return settingsOf(settingsClass).flatMap((setting) => {
    const at = path ? `${path}.${setting.key}` : setting.key;
    if (setting.kind === 'section') return placesOf((setting.of as () => SettingsClass)(), at);
    return { path: at, variable: setting.kind === 'records' ? undefined : envName(setting, at) };
  });
}

/** The variables that settings name: `key_env: AUTHPLANE_MASTER_KEY`. */
function namedBy(section: object): string[] {
  return Object.entries(section).flatMap(([property, value]) => {
    if (typeof value === 'string') return property.endsWith('Env') ? [value] : [];
    return typeof value === 'object' && value !== null ? namedBy(value) : [];
  });
}
