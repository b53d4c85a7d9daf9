import type { Decision } from './authorization.js';
import type { IssuanceRow } from './token-rows.js';

/** What the audit tells of every exchange, whatever comes of it: both tokens, and everybody in between. */
export const exchangeDetail = (
  { client, person, resource, scopes, derivation }: Decision,
  { jti, subject, agentChain }: IssuanceRow,
): Record<string, unknown> => ({
  jti,
  sub: subject,
  subject_client: derivation?.subjectClientId,
  actor_client: client.id,
  scopes,
  resource: resource?.slug,
  chain_kind: derivation?.kind,
  via_link: derivation?.via,
  act: derivation?.chain.act,
  agent_chain: agentChain.length > 0 ? agentChain : undefined,
  parent: derivation?.parentJti,
  consent: person?.consentId,
});
