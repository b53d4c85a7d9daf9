import { Config } from './config.js';
import { settingsOf, type Setting, type SettingsClass } from './setting.js';
import { envName } from './settings-reader.js';

interface Entry {
  readonly setting: Setting;
  readonly path: string;
}

interface Chapter extends Entry {
  readonly entries: readonly Entry[];
}

/** docs/reference/settings.md. */
export function renderSettingsReference(): string {
  return [
    '<!-- Generated from src/config. Do not edit: `UPDATE_REFERENCE=1 npx vitest run src/config/settings-reference.spec.ts` -->',
    '# Settings',
    '',
    'Defaults, then the YAML file given with `--config`, then environment variables; an empty variable counts as unset.',
    'Every mistake is reported at once, and the server does not start with one. An unknown key in the file is a mistake.',
    '',
    '- duration: `30s`, `10m`, `1h30m`, `7d`, `2w`; the greatest unit comes first',
    '- list: a YAML list; in the environment separated by commas or spaces',
    '- text, boolean (`true`, `false`), integer, number: as they say',
    '',
    'A value that still says `${NAME}` is refused: nothing replaces it here. Relative paths start at the working directory.',
    '',
    ...chapters().flatMap(renderChapter),
  ].join('\n');
}

/** .env.example: every variable with its default, all commented out. */
export function renderEnvExample(): string {
  const lines = chapters().flatMap(({ path, setting, entries }) => {
    const variables = entries.filter((entry) => !entry.setting.ignored && envName(entry.setting, entry.path));
    if (variables.length === 0) return [];
    return [`# ${path || 'general'}: ${setting.about}`, ...variables.flatMap(renderVariable), ''];
  });
  return [
    '# Generated from src/config. Copy to .env and export it: the server reads variables, not this file.',
    '# docs/reference/settings.md tells more.',
    '',
    ...lines,
  ].join('\n');
}

function renderVariable({ setting, path }: Entry): string[] {
  const value = Array.isArray(setting.default) ? setting.default.join(',') : String(setting.default ?? '');
  return [`# ${plain(setting.about)}`, `#${envName(setting, path) ?? ''}=${value}`];
}

function renderChapter({ path, setting, entries }: Chapter): string[] {
  return [
    `## ${path ? `\`${path}\`` : 'At the top level'}`,
    '',
    setting.about,
    '',
    '| Key | Type | Default | Environment | |',
    '|---|---|---|---|---|',
    ...entries.map(
      (entry) =>
        `| ${cells(entry)
          .map((cell) => cell.replaceAll('|', '\\|'))
          .join(' | ')} |`,
    ),
    '',
  ];
}

function cells({ setting, path }: Entry): string[] {
  if (setting.ignored) return [`\`${path}\``, '', '', '', `Accepted and ignored. ${setting.about}`];
  const variable = envName(setting, path);
  const allowed = [
    setting.oneOf ? ` One of ${setting.oneOf.map((value) => `\`${value}\``).join(', ')}.` : '',
    setting.min === undefined ? '' : ` At least ${setting.min}.`,
    setting.max === undefined ? '' : ` At most ${setting.max}.`,
  ];
  return [
    `\`${path}\``,
    setting.kind,
    shownDefault(setting),
    variable ? `\`${variable}\`` : 'YAML only',
    setting.about + allowed.join(''),
  ];
}

function shownDefault(setting: Setting): string {
  if (setting.defaultText) return setting.defaultText;
  const value = setting.default;
  if (value === undefined) return 'none';
  if (value === '' || (Array.isArray(value) && value.length === 0)) return 'empty';
  return `\`${String(value)}\``;
}

/** One chapter per section or record, depth first, the top level last. */
function chapters(): Chapter[] {
  const top: Setting = {
    property: '',
    key: '',
    kind: 'section',
    about: 'Settings without a section.',
    of: () => Config,
  };
  const [first, ...rest] = walk({ setting: top, path: '' });
  return [...rest, ...(first ? [first] : [])];
}

function walk({ setting, path }: Entry): Chapter[] {
  const below = settingsOf((setting.of as () => SettingsClass)()).map((child) => ({
    setting: child,
    path: path ? `${path}.${child.key}` : child.key,
  }));
  const nested = below.filter((entry) => entry.setting.of);
  const own: Chapter = { setting, path, entries: below.filter((entry) => !entry.setting.of) };
  const deeper = nested.flatMap((entry) => walk(asRecord(entry)));
  return own.entries.length > 0 ? [own, ...deeper] : deeper;
}

function asRecord({ setting, path }: Entry): Entry {
  return { setting, path: setting.kind === 'records' ? `${path}[]` : path };
}

function plain(about: string): string {
  return about.replaceAll('`', '');
}
