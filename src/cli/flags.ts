import { readFileSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { grantName, grantType } from '#libs/oauth';

/** Parsers of flag values; commander calls them with the value and what the flag held before. */

/** `a,b` or the flag repeated; the empty string is the empty list. */
export function list(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(',').map(trimmed).filter(isFilled)];
}

/** Like `list`, but a comma inside a URI stays: only one that is followed by a scheme separates. */
export function uriList(value: string, before: readonly string[] = []): string[] {
  return [
    ...before,
    ...value
      .split(/,(?=\s*[a-z][a-z0-9+.-]*:)/i)
      .map(trimmed)
      .filter(isFilled),
  ];
}

/** Like `list`; a grant whose type is a URN may be named by the last part of it. On the wire it has its whole name. */
export function grantTypes(value: string, before: readonly string[] = []): string[] {
  const types = Object.values(grantType);
  return [...before, ...list(value).map((named) => types.find((type) => grantName(type) === named) ?? named)];
}

/** Whole seconds, or `default`: the server's own. */
export function secondsOrDefault(value: string): number | 'default' {
  return value === 'default' ? value : wholeNumber(value);
}

/** On the wire null takes an object's own value away; commander cannot hold a null. */
export const orNull = (seconds: number | 'default' | undefined): number | null | undefined =>
  seconds === 'default' ? null : seconds;

export function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('a whole number is needed.');
  return Number(value);
}

export function trueOrFalse(value: string): boolean {
  if (value !== 'true' && value !== 'false') throw new InvalidArgumentError('true or false is needed.');
  return value === 'true';
}

export interface ScopeFlag {
  readonly name: string;
  readonly upstream?: string;
  readonly description?: string;
}

/** `name|upstream|description`, repeatable. A scope that this server issues itself has no upstream: `name||description`. */
export function scopes(value: string, before: readonly ScopeFlag[] = []): ScopeFlag[] {
  const [, name = '', upstream = '', description] = scopeSpelling.exec(value) ?? [];
  if (name.trim() === '') throw new InvalidArgumentError("a scope is 'name|upstream|description' and needs a name.");
  return [
    ...before,
    {
      name: name.trim(),
      ...(upstream.trim() && { upstream: upstream.trim() }),
      ...(description !== undefined && { description: description.trim() }),
    },
  ];
}

/** The description may contain the separator. */
const scopeSpelling = /^([^|]*)(?:\|([^|]*))?(?:\|(.*))?$/s;

/** A JSON file with a list of scopes: `name`, and perhaps `description`, `upstream`, `default`. */
export function scopesFile(path: string): unknown[] {
  const content = jsonFile(path);
  if (!Array.isArray(content)) throw new InvalidArgumentError('it must hold a JSON list of scopes.');
  return content as unknown[];
}

/** A file that holds JSON. */
export function jsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InvalidArgumentError(
      `it cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/**
 * `source=target+target2,source2=target3`, or JSON, which can spell every name. `source:target` is understood where one colon leaves
 * no doubt.
 */
export function scopeMap(value: string): Record<string, string[]> {
  if (value.trim().startsWith('{')) return scopeMapJson(value);
  const entries = list(value).map((entry): [string, string[]] => {
    const separator = entry.includes('=') ? '=' : ':';
    const [source = '', targets = '', ...more] = entry.split(separator).map(trimmed);
    if (source === '' || targets === '' || more.length > 0)
      throw new InvalidArgumentError("an entry is 'source=target+target2'; names with = or + need JSON.");
    return [source, targets.split('+').map(trimmed).filter(isFilled)];
  });
  const map = new Map<string, string[]>();
  for (const [source, targets] of entries) map.set(source, [...(map.get(source) ?? []), ...targets]);
  return Object.fromEntries(map);
}

function scopeMapJson(value: string): Record<string, string[]> {
  try {
    return JSON.parse(value) as Record<string, string[]>;
  } catch (error) {
    throw new InvalidArgumentError(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The flags of every list that comes in pages. */
export function paged(command: Command, limit = 100): Command {
  return command
    .option('--limit <count>', 'how many at most', wholeNumber, limit)
    .option('--cursor <cursor>', 'where the previous page ended');
}

export interface PageFlags {
  readonly limit: number;
  readonly cursor?: string;
}

const trimmed = (text: string): string => text.trim();
const isFilled = (text: string): boolean => text !== '';
