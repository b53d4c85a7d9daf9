import type { Command, Option } from 'commander';

/** docs/reference/command-line.md, from the program that parses the command line. */
export function renderCommandLineReference(program: Command): string {
  const [local, groups] = partition(program.commands.filter(isShown), ({ commands }) => commands.length === 0);
  const lines = [
    '<!-- Generated from src/program.ts. Do not edit: `UPDATE_REFERENCE=1 npx vitest run src/cli/command-line-reference.spec.ts` -->',
    '# Command line',
    '',
    'In a clone, `npm run authserver --` stands for `authserver`; `npm run -s authserver --` keeps the lines of npm out of a pipe.',
    'Every command takes `--help`.',
    '',
    ...renderOptions(program.options),
    '## On this machine',
    '',
    'These read the configuration as the server does, and need no server that runs.',
    '',
    ...local.flatMap((command) => renderVerb(command, program.name(), '###')),
    ...groups.flatMap((command) => renderAdmin(command, program.name())),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

/** `authserver admin`: what its commands have in common, then one chapter for each thing it administers. */
function renderAdmin(command: Command, parent: string): string[] {
  const path = `${parent} ${command.name()}`;
  return [
    `## \`${path}\``,
    '',
    sentence(command.description()),
    '',
    ...renderOptions(command.options),
    'Exit codes: 0 done, 1 the server refused, 2 the command line is wrong, 3 the server cannot be reached. No command takes a secret',
    'as an argument: keys come from the environment or a file, passwords from standard input.',
    '',
    ...command.commands.filter(isShown).flatMap((group) => renderGroup(group, path)),
  ];
}

function renderGroup(group: Command, parent: string): string[] {
  const path = `${parent} ${group.name()}`;
  const verbs = verbsOf(group, path);
  return [
    `### \`${path}\``,
    '',
    sentence(group.description()),
    '',
    ...verbs.flatMap(([verb, at]) => renderVerb(verb, at, '####')),
  ];
}

/** Every command that does something below `group`, with the path that leads to it. */
function verbsOf(group: Command, path: string): [Command, string][] {
  return group.commands
    .filter(isShown)
    .flatMap((command): [Command, string][] =>
      command.commands.length === 0 ? [[command, path]] : verbsOf(command, `${path} ${command.name()}`),
    );
}

function renderVerb(command: Command, parent: string, level: '###' | '####'): string[] {
  const needed = command.options.filter(({ mandatory }) => mandatory).map(({ flags }) => ` ${flags}`);
  const more = command.options.length > needed.length ? ' …' : '';
  return [
    `${level} \`${parent} ${command.name()}${needed.join('')}${more}\``,
    '',
    sentence(command.description()),
    '',
    ...renderOptions(command.options),
  ];
}

function renderOptions(options: readonly Option[]): string[] {
  // Of a flag that is needed and explains itself, the heading says everything.
  const shown = options.filter(({ hidden, mandatory, description }) => !hidden && !(mandatory && description === ''));
  if (shown.length === 0) return [];
  return [
    '| Flag | |',
    '|---|---|',
    ...shown.map((option) => `| \`${inCell(option.flags)}\` | ${inCell(about(option))} |`),
    '',
  ];
}

function about({ description, mandatory, defaultValue, envVar }: Option): string {
  const notes = [
    mandatory && 'required',
    typeof defaultValue !== 'undefined' && `default \`${String(defaultValue)}\``,
    envVar && `environment \`${envVar}\``,
  ].filter(Boolean);
  return [description, notes.length > 0 ? `(${notes.join(', ')})` : ''].filter(Boolean).join(' ');
}

const isShown = (command: Command): boolean => command.name() !== 'help';

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** A bar ends a cell. */
const inCell = (text: string): string => text.replaceAll('|', '\\|');

function partition<T>(items: readonly T[], belongs: (item: T) => boolean): [T[], T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))];
}
