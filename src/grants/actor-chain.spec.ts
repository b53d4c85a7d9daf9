import { describe, expect, it } from 'vitest';
import { actorsOf, extendChain, type ChainSoFar } from './actor-chain.js';

const fresh: ChainSoFar = { clientId: 'agent', originClientId: 'agent', agentChain: [], ancestors: 0 };
const gateway = { id: 'gateway', agent: false };
const server = { id: 'server', agent: true };

/** The chain after these clients, one after the other. */
function after(...ids: string[]): ChainSoFar {
  return ids.reduce<ChainSoFar>((soFar, id) => {
    const next = extendChain(soFar, { id, agent: false }, 100);
    if (typeof next === 'string') throw new Error(next);
    return { ...soFar, ...next, clientId: id, ancestors: soFar.ancestors + 1 };
  }, fresh);
}

describe('the chain of actors', () => {
  it('[X6] nests: the one who acts now is outermost, and the flat list begins with the first client', () => {
    expect(extendChain(fresh, gateway, 5)).toEqual({
      act: { sub: 'gateway', actor_type: 'service' },
      agentChain: ['agent', 'gateway'],
    });
    expect(extendChain(after('gateway'), server, 5)).toEqual({
      act: { sub: 'server', actor_type: 'agent', act: { sub: 'gateway', actor_type: 'service' } },
      agentChain: ['agent', 'gateway', 'server'],
    });
  });

  it('gains nothing when a client exchanges its own token', () => {
    expect(extendChain(fresh, { id: 'agent', agent: true }, 5)).toEqual({ act: undefined, agentChain: [] });
    const { act, agentChain } = after('gateway');
    expect(extendChain(after('gateway'), gateway, 5)).toEqual({ act, agentChain });
  });

  it('leaves unknown members of inner actors alone', () => {
    const act = { sub: 'elsewhere', iss: 'https://idp.example', 'https://x.example/claim': [1, { two: true }] };
    const extended = extendChain({ ...fresh, act }, gateway, 5);
    expect(extended).toMatchObject({ act: { sub: 'gateway', act } });
  });

  it('refuses whoever is in it already, the first client too', () => {
    expect(extendChain(after('gateway', 'server'), gateway, 5)).toBe('chain_cycle');
    expect(extendChain(after('gateway'), { id: 'agent', agent: false }, 5)).toBe('chain_cycle');
  });

  it('[X9] refuses one actor too many, also after the limit was lowered', () => {
    expect(extendChain(after('a', 'b'), gateway, 3)).not.toBe('chain_too_deep');
    expect(extendChain(after('a', 'b', 'c'), gateway, 3)).toBe('chain_too_deep');
    expect(extendChain(after('a', 'b', 'c'), { id: 'c', agent: false }, 2)).toBe('chain_too_deep');
  });

  it('refuses a client that narrows its own token without end', () => {
    expect(extendChain({ ...fresh, ancestors: 31 }, { id: 'agent', agent: false }, 5)).not.toBe('chain_too_deep');
    expect(extendChain({ ...fresh, ancestors: 32 }, { id: 'agent', agent: false }, 5)).toBe('chain_too_deep');
  });

  it('keeps the last eight of the flat list', () => {
    const { agentChain, act } = after(...'abcdefghi');
    expect(agentChain).toEqual([...'bcdefghi']);
    expect(actorsOf(act)).toEqual([...'ihgfedcba']);
  });
});
