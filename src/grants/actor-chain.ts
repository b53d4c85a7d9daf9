import type { Actor, ActorChain } from '../tokens/authorization.js';

/** A token before an exchange: whose it is, and who acted so far. */
export interface ChainSoFar extends ActorChain {
  /** The client the token was issued to. */
  readonly clientId: string;
  /** The client with which the chain began. */
  readonly originClientId: string;
  /** How many tokens it stands on. A client that narrows its own token again and again adds no actor, but one of these. */
  readonly ancestors: number;
}

export type ChainRefusal = 'chain_cycle' | 'chain_too_deep';

const MAX_ANCESTORS = 32;
const MAX_AGENT_CHAIN = 8;

/**
 * The chain after `acting` exchanged the token (RFC 8693 §4.1, W7). A client that exchanges its own token adds nothing; any other is the
 * new outermost actor, whatever the request said. Inner actors are left as they are.
 */
export function extendChain(
  soFar: ChainSoFar,
  acting: { readonly id: string; readonly agent: boolean },
  maxDepth: number,
): ActorChain | ChainRefusal {
  const { act, agentChain, clientId, originClientId } = soFar;
  const hops = actorsOf(act);
  if (soFar.ancestors >= MAX_ANCESTORS) return 'chain_too_deep';
  if (acting.id === clientId) return hops.length > maxDepth ? 'chain_too_deep' : { act, agentChain };
  if (acting.id === originClientId || hops.includes(acting.id)) return 'chain_cycle';
  if (hops.length + 1 > maxDepth) return 'chain_too_deep';
  const actor: Actor = { sub: acting.id, actor_type: acting.agent ? 'agent' : 'service', ...(act ? { act } : {}) };
  const before = agentChain.length > 0 ? agentChain : [originClientId];
  return { act: actor, agentChain: [...before, acting.id].slice(-MAX_AGENT_CHAIN) };
}

/** The `sub`s of a chain, outermost first. */
export function actorsOf(act: Actor | undefined): string[] {
  return act ? [act.sub, ...actorsOf(act.act)] : [];
}
