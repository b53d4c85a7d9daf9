import type { BrokerResource } from '../resources/resource.js';
import type { Decision } from '../tokens/authorization.js';
import type { Connection } from './connection.js';
import type { Provider } from './provider.js';

/** An exchange into a broker resource that everything but the connection has been asked of: it may have upstream's token for `scopes`. */
export interface VendRequest extends Decision {
  readonly person: NonNullable<Decision['person']>;
  readonly resource: BrokerResource;
  readonly derivation: NonNullable<Decision['derivation']>;
  /** What the person's groups give at the resource, where they say. */
  readonly atMost?: ReadonlySet<string>;
}

/** What a grant found may be vended: like an `Authorization`, but for a token that is upstream's. */
export interface Vend extends VendRequest {
  readonly provider: Provider;
  /** The person's account, and the connection consent that lets the MCP server use it. Absent: the operator's credential. */
  readonly connected?: { readonly connection: Connection; readonly consentId: string };
}

/** What upstream calls scopes of a broker resource. A scope that names no word of upstream's is one. */
export function upstreamNames({ scopes: declared }: BrokerResource, names: readonly string[]): string[] {
  const words = new Map(declared.map(({ name, upstream }) => [name, upstream ?? name]));
  return [...new Set(names.map((name) => words.get(name) ?? name))];
}

/** Those of a broker resource's scopes that upstream's words cover. */
export function namesCovered({ scopes: declared }: BrokerResource, words: readonly string[]): string[] {
  return declared.filter(({ name, upstream }) => words.includes(upstream ?? name)).map(({ name }) => name);
}
