/** In JSON text: an escaped U+0000 or lone surrogate, after an even number of backslashes. Pairs stand there unescaped. */
const UNSTORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/**
 * `value` as JSON text that Postgres stores as jsonb whatever a stranger put into its strings and member names: U+0000 and lone
 * surrogates, which jsonb refuses, become U+FFFD.
 *
 * @throws TypeError for what has no JSON (a cycle, a bigint, undefined)
 */
export function storableJson(value: unknown): string {
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) throw new TypeError('This value has no JSON.');
  return json.includes('\\u') ? json.replace(UNSTORABLE, '$1\ufffd') : json;
}
