import { OAuthError } from './errors.js';
import { printable } from './parameters.js';

const maxDepth = 32;

/**
 * Parses JSON that has one meaning only: no member twice in an object (JSON.parse keeps the last one silently, other parsers
 * the first), nothing nested over 32 deep, no `__proto__` member.
 *
 * @throws OAuthError `parameter-repeated`, or `body-unreadable` with reason `body_malformed`.
 */
export function parseJson(text: string): unknown {
  const value = parsed(text);
  refuseAmbiguity(text);
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The cause is left out: V8 quotes the text in it, which may hold a secret.
    throw unreadable('valid JSON');
  }
}

/** Walks the tokens of a text that JSON.parse has accepted. Names are compared decoded: `"\u0061"` is `"a"`. */
function refuseAmbiguity(text: string): void {
  const open: (Set<string> | 'array')[] = [];
  let names: Set<string> | 'array' | undefined;
  let nameComesNext = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') {
      names = character === '{' ? new Set() : 'array';
      nameComesNext = character === '{';
      if (open.push(names) > maxDepth) throw unreadable(`JSON nested at most ${maxDepth} deep`);
    } else if (character === '}' || character === ']') {
      open.pop();
      names = open.at(-1);
    } else if (character === ',') {
      nameComesNext = names instanceof Set;
    } else if (character === '"') {
      const end = endOfString(text, at);
      if (nameComesNext && names instanceof Set) addName(names, JSON.parse(text.slice(at, end + 1)) as string);
      nameComesNext = false;
      at = end;
    }
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function addName(names: Set<string>, name: string): void {
  if (name === '__proto__') throw unreadable('JSON without a member __proto__');
  if (names.has(name)) {
    throw new OAuthError('parameter-repeated', 'parameter_repeated', {
      fill: { parameter: printable(name, 'a JSON member') },
    });
  }
  names.add(name);
}

function unreadable(expected: string): OAuthError<'body-unreadable'> {
  return new OAuthError('body-unreadable', 'body_malformed', { fill: { expected } });
}
