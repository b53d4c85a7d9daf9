import type { Client } from '../clients/client.js';
import type { MintResource } from '../resources/resource.js';

/** What of `scopes` the resource still declares and the client's ceiling, if it has one, still covers (W39). */
export function stillGrantable(scopes: readonly string[], resource: MintResource, client: Client): string[] {
  const declared = new Set(resource.scopes.map(({ name }) => name));
  return scopes.filter((scope) => declared.has(scope) && withinCeiling(scope, client));
}

/** A client without a ceiling of its own is bounded by the resource alone: a person decides. */
export const withinCeiling = (scope: string, client: Client): boolean =>
  client.scope.length === 0 || client.scope.includes(scope);
