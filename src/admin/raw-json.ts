/** JSON that goes out as it came in: numbers, order and spaces stay. */
export class RawJson {
  /** @param text valid JSON */
  constructor(readonly text: string) {}
}

/** `JSON.stringify` for objects, lists and RawJson within them. */
export function stringifyRaw(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(stringifyRaw).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${stringifyRaw(member)}`).join(',')}}`;
}
