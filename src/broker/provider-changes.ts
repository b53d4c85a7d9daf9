import type { Provider } from './provider.js';

/** What became of `config_data` and the secret beside it, for the record. */
export interface ConfigChanges {
  readonly config_members?: readonly string[];
  /** Where people and credentials go from now on, and where they went: origins, by member. */
  readonly moved?: readonly { readonly member: string; readonly from?: string; readonly to?: string }[];
}

/**
 * Names the members of `config_data` that changed. Whoever moves `token_url` has the credentials of everybody who is connected sent there,
 * so that the record says from where to where.
 */
export function changesOf(former: Provider, present: Provider, inlineSecret: string): ConfigChanges {
  const [before, after] = [membersOf(former), membersOf(present)];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  const moved = changed
    .map((member) => ({ member, from: originOf(before[member]), to: originOf(after[member]) }))
    .filter(({ from, to }) => from !== to);
  if (former.sealedSecret !== present.sealedSecret) changed.push(inlineSecret);
  return {
    ...(changed.length > 0 && { config_members: changed }),
    ...(moved.length > 0 && { moved }),
  };
}

const membersOf = ({ configData }: Provider): Readonly<Record<string, unknown>> =>
  JSON.parse(configData) as Readonly<Record<string, unknown>>;

/** Of a URL; its path and query are the operator's own business. */
const originOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^https?:/i.test(value) && URL.canParse(value) ? new URL(value).origin : undefined;
