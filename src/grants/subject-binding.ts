import { OAuthError } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { requireKey, type Proof } from '../dpop/dpop-verifier.js';
import type { Resource } from '../resources/resource.js';
import type { AccessToken } from '../tokens/access-token-reader.js';

/**
 * What a subject token that is bound to a key asks of its exchange (W8): the key, from the client it was issued to; from another client,
 * that it acts as the resource the token was shown to. That one never holds the key, and its own proof binds the new token.
 *
 * @param source the resource that the subject token is for
 * @throws OAuthError `invalid_dpop_proof`, `key-mismatch`, `exchange-denied`; nothing is issued
 */
export function requireBinding(
  { claims, state }: AccessToken,
  acting: Client,
  source: Resource | undefined,
  proof: Proof | undefined,
): void {
  const facts = { clientId: acting.id, subject_client: state.clientId };
  const jkt = keyOf(claims);
  if (jkt !== undefined && state.clientId === acting.id) return requireKey(proof, jkt, facts);
  if (jkt !== undefined && !source?.policy.runtime.clientIds.includes(acting.id)) {
    throw new OAuthError('exchange-denied', 'bound_subject_not_audience', { facts });
  }
  if (source?.dpopRequired && !proof) throw new OAuthError('dpop-required', 'dpop_missing', { facts });
}

/** The key that a token is bound to (RFC 9449 §6.1). */
export function keyOf(claims: AccessToken['claims']): string | undefined {
  const cnf = claims['cnf'] as { jkt?: unknown } | undefined;
  return typeof cnf?.jkt === 'string' ? cnf.jkt : undefined;
}
