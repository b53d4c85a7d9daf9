import { grantType } from '#libs/oauth';
import {
  agentTokensIssued,
  clientCredentialsIssued,
  tokenExchanges,
  tokensIssued,
  tokensRefreshed,
  upstreamTokensIssued,
} from '../platform/telemetry/protocol-metrics.js';
import type { RepeatedAnswer } from '../tokens/authorization.js';
import type { Grant } from './grant.js';

/** What a grant decides, but for an answer that is given again. */
export type Issuable = Exclude<Awaited<ReturnType<Grant['authorize']>>, RepeatedAnswer>;

/** Counts what was issued and stored on `decision`. */
export function countIssued(type: string, decision: Issuable): void {
  tokensIssued.inc({ grant_type: type });
  if (type === grantType.refreshToken) tokensRefreshed.inc();
  if (type === grantType.clientCredentials) clientCredentialsIssued.inc();
  if (type === grantType.tokenExchange) tokenExchanges.inc(exchangeOf(decision));
  if (decision.client.agentConfirmed) agentTokensIssued.inc();
  if ('provider' in decision)
    upstreamTokensIssued.inc({ provider: decision.provider.slug, resource: decision.resource.slug });
}

function exchangeOf(decision: Issuable): { kind: string; source: string; target: string } {
  const { derivation, resource } = decision;
  const kind = 'provider' in decision ? 'vend' : 'audience' in decision ? 'assertion' : derivation?.kind;
  return { kind: kind ?? '', source: derivation?.via?.split('>')[0] ?? '', target: resource?.slug ?? '' };
}
