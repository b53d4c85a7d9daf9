import { OAuthError } from '#libs/oauth';
import { linkName } from '../resources/fronting-link.js';
import type { AccessToken, IssuanceState } from '../tokens/access-token-reader.js';
import type { Actor, Derivation } from '../tokens/authorization.js';
import { extendChain } from './actor-chain.js';
import type { Exchange } from './exchange-paths.js';

/**
 * What a token has from the one it is exchanged for.
 *
 * @throws OAuthError `exchange-denied` when the chain would be too deep, or a circle
 */
export function deriveFrom(
  { claims, state }: AccessToken,
  { acting, target, link }: Exchange,
  kind: Derivation['kind'],
  maxDepth: number,
  facts: Readonly<Record<string, unknown>>,
): Derivation {
  const originClientId = originOf(state);
  const soFar = {
    act: claims['act'] as Actor | undefined,
    agentChain: state.agentChain,
    clientId: state.clientId,
    originClientId,
    ancestors: state.ancestors.length,
  };
  const chain = extendChain(soFar, { id: acting.id, agent: acting.agentConfirmed }, maxDepth);
  if (typeof chain === 'string') throw new OAuthError('exchange-denied', chain, { facts });
  const before = state.resourceId === target?.id ? (claims['via'] as string | undefined) : undefined;
  return {
    parentJti: state.jti,
    ancestors: [...state.ancestors, state.jti],
    familyId: state.familyId,
    originClientId,
    subjectClientId: state.clientId,
    subject: state.subject,
    expiresAt: state.expiresAt,
    kind,
    chain,
    via: link ? linkName(link) : before,
  };
}

/** Where the chain began: the client that the person allowed; a machine's token is about the machine. */
const originOf = ({ consentClientId, userId, clientId, subject }: IssuanceState): string =>
  consentClientId ?? (userId === null ? subject : clientId);
