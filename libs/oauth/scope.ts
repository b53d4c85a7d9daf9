import { OAuthError } from './errors.js';

const maxScopes = 100;
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Scope tokens of an RFC 6749 §3.3 list, in order, each once. Runs of spaces are taken as one, since clients join lists
 * that have empty entries; any other character outside the grammar is refused.
 *
 * @throws OAuthError `parameter-malformed`, also for more than 100 scopes.
 */
export function parseScope(text: string): string[] {
  const scopes = [...new Set(text.split(' ').filter((scope) => scope !== ''))];
  if (scopes.length > maxScopes || !scopes.every((scope) => scopeToken.test(scope))) {
    throw new OAuthError('parameter-malformed', 'parameter_malformed', { fill: { parameter: 'scope' } });
  }
  return scopes;
}

export function formatScope(scopes: Iterable<string>): string {
  return [...scopes].join(' ');
}
