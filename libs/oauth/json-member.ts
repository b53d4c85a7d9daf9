/** Where a member of a JSON object stands in its text. */
export interface JsonMember {
  readonly start: number;
  readonly end: number;
  readonly valueStart: number;
}

/**
 * Finds a member of the outermost object.
 *
 * @param text a JSON object that `parseJson` has accepted: no member twice
 */
export function findJsonMember(text: string, name: string): JsonMember | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (character === '"') {
      const end = endOfString(text, at) + 1;
      const colon = afterSpace(text, end);
      if (depth === 1 && text[colon] === ':' && JSON.parse(text.slice(at, end)) === name) {
        const valueStart = afterSpace(text, colon + 1);
        return { start: at, end: endOfValue(text, valueStart), valueStart };
      }
      at = end - 1;
    }
  }
  return undefined;
}

/** The text without a member and the comma beside it; every other byte stays. */
export function withoutJsonMember(text: string, { start, end }: JsonMember): string {
  const comma = afterSpace(text, end);
  if (text[comma] === ',') return text.slice(0, start) + text.slice(afterSpace(text, comma + 1));
  return text.slice(0, start).replace(/,\s*$/, '') + text.slice(end);
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth++;
    else if (depth > 0 && (character === '}' || character === ']')) depth--;
    else if (depth === 0 && /[,}\]\s]/.test(character)) return at;
    if (depth === 0 && (character === '"' || character === '}' || character === ']')) return at + 1;
  }
  return text.length;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (/\s/.test(text[at] ?? '')) at++;
  return at;
}
