import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError, required, type Form } from '#libs/oauth';
import { TokenVendor } from '../broker/token-vendor.js';
import { ClientAuthenticator } from '../clients/client-authenticator.js';
import type { Client } from '../clients/client.js';
import { DpopVerifier, type Proof } from '../dpop/dpop-verifier.js';
import type { TokenAnswer } from '../tokens/authorization.js';
import { TokenIssuer } from '../tokens/token-issuer.js';
import { Grants } from './grants.js';

/**
 * The phases of a token request, in order, for every grant. No grant can forget a shared check, and nothing is spent before the
 * caller is known and everything else is decided.
 */
@Injectable()
export class TokenEndpoint {
  constructor(
    private readonly authenticator: ClientAuthenticator,
    private readonly proofs: DpopVerifier,
    private readonly grants: Grants,
    private readonly issuer: TokenIssuer,
    private readonly vendor: TokenVendor,
  ) {}

  /** @throws OAuthError; with `temporarily_unavailable` nothing was consumed or issued */
  async answer(req: Request, form: Form): Promise<TokenAnswer> {
    // Once, however often the request is decided: a proof is spent by asking.
    let proof: Promise<Proof | undefined> | undefined;
    const proofOf = ({ id }: Client): Promise<Proof | undefined> =>
      (proof ??= this.proofs.proofOf(req, '/oauth/token', { clientId: id }));
    const answer = (await this.#attempt(req, form, proofOf)) ?? (await this.#attempt(req, form, proofOf));
    if (!answer) throw new OAuthError('try-again', 'stale_twice');
    return answer;
  }

  /** @returns undefined when what was decided was changed before it was stored, and must be decided again (S6) */
  async #attempt(
    req: Request,
    form: Form,
    proofOf: (client: Client) => Promise<Proof | undefined>,
  ): Promise<TokenAnswer | undefined> {
    const type = required(form, 'grant_type');
    const client = await this.authenticator.authenticate(req, form);
    const grant = this.grants.of(type, client);
    const proof = await proofOf(client);
    if (client.dpopBoundAccessTokens) requireProof(proof, client);
    const decision = await grant.authorize(form, client, proof);
    if ('repeated' in decision) return decision.repeated;
    if (decision.resource?.dpopRequired) requireProof(proof, client);
    if ('provider' in decision) return this.vendor.vend(decision);
    return this.issuer.issue({ ...decision, jkt: proof?.jkt });
  }
}

/** W28 */
function requireProof(proof: Proof | undefined, client: Client): void {
  if (!proof) throw new OAuthError('dpop-required', 'dpop_missing', { facts: { clientId: client.id } });
}
