import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { grantType, OAuthError, required, type Form } from '#libs/oauth';
import { TokenVendor } from '../broker/token-vendor.js';
import type { Vend } from '../broker/vend.js';
import type { Client } from '../clients/client.js';
import { DpopVerifier, type Proof } from '../dpop/dpop-verifier.js';
import { formOf } from '../platform/http/body.js';
import type { RepeatedAnswer, TokenAnswer } from '../tokens/authorization.js';
import { TokenIssuer } from '../tokens/token-issuer.js';
import { secondsSince } from '../platform/telemetry/metric.js';
import { tokenIssuanceDuration } from '../platform/telemetry/protocol-metrics.js';
import { AssertionIssuer } from '../xaa/assertion-issuer.js';
import type { AssertionAnswer } from '../xaa/issued-assertion.js';
import { countIssued, type Issuable } from './issued-tokens.js';
import { Grants } from './grants.js';
import { Grounds, type Ground, type Reading } from './grounds.js';

/**
 * The phases of a token request, in order, for every grant. No grant can forget a shared check, and nothing is spent before the
 * caller is known and everything else is decided.
 *
 * A request is decided on what is remembered of its client and of the resources. The statement that stores the token verifies that this
 * still holds; what stores nothing is looked up before it is told. Where it no longer holds, all is decided again on what is there now (S6).
 */
@Injectable()
export class TokenEndpoint {
  constructor(
    private readonly grounds: Grounds,
    private readonly proofs: DpopVerifier,
    private readonly grants: Grants,
    private readonly issuer: TokenIssuer,
    private readonly vendor: TokenVendor,
    private readonly assertions: AssertionIssuer,
  ) {}

  /** @throws OAuthError; with `temporarily_unavailable` nothing was consumed or issued */
  async answer(req: Request, form: Form): Promise<TokenAnswer | AssertionAnswer> {
    const startedAt = performance.now();
    const answer = await this.#answer(req, form);
    // The type is one of ours, or there would be no answer.
    tokenIssuanceDuration.observe({ grant_type: form.get('grant_type') }, secondsSince(startedAt));
    return answer;
  }

  async #answer(req: Request, form: Form): Promise<TokenAnswer | AssertionAnswer> {
    const type = required(form, 'grant_type');
    // Once, however often the request is decided: a proof is spent by asking.
    let proof: Promise<Proof | undefined> | undefined;
    const proofOf = ({ id }: Client): Promise<Proof | undefined> =>
      (proof ??= this.proofs.proofOf(req, '/oauth/token', { clientId: id }));

    for (const reading of READINGS) {
      const ground = await this.grounds.of(req, form, reading);
      const decided = await this.#decide(type, form, ground, proofOf).catch(asRefusal);
      if (!decided) continue;
      if ('stored' in decided) return decided.stored;
      if (reading === 'remembered' && (await this.grounds.moved(ground))) continue;
      if ('refusal' in decided) throw decided.refusal;
      return decided.repeated;
    }
    throw new OAuthError('try-again', 'stale_twice');
  }

  /** @returns undefined when the ground moved before the token was stored */
  async #decide(
    type: string,
    form: Form,
    ground: Ground,
    proofOf: (client: Client) => Promise<Proof | undefined>,
  ): Promise<{ stored: TokenAnswer | AssertionAnswer } | RepeatedAnswer | undefined> {
    const { client, resources } = ground;
    const grant = this.grants.of(type, client, form);
    const proof = await proofOf(client);
    if (client.dpopBoundAccessTokens) requireProof(proof, client);
    const decision = await grant.authorize(form, client, resources, proof);
    if ('repeated' in decision) return decision;
    if (decision.resource?.dpopRequired) requireProof(proof, client);
    const stored = await this.#issue(decision, ground, proof?.jkt);
    if (stored) countIssued(type, decision);
    return stored && { stored };
  }

  #issue(
    decision: Issuable,
    ground: Ground,
    jkt: string | undefined,
  ): Promise<TokenAnswer | AssertionAnswer | undefined> {
    if ('provider' in decision) return this.#vend(decision, ground);
    if ('audience' in decision) return this.assertions.issue({ ...decision, jkt });
    return this.issuer.issue({ ...decision, jkt });
  }

  /** Upstream is asked for nobody whom policy has left meanwhile: what it answers cannot be taken back. */
  async #vend(vend: Vend, ground: Ground): Promise<TokenAnswer | undefined> {
    return (await this.grounds.moved(ground)) ? undefined : this.vendor.vend(vend);
  }
}

const REFUSED_ACTIONS: ReadonlyMap<string | undefined, string> = new Map([
  [grantType.clientCredentials, 'client_credentials.denied'],
  [grantType.refreshToken, 'token.refresh_denied'],
  [grantType.tokenExchange, 'token.exchange_denied'],
  [grantType.jwtBearer, 'jwt_bearer.denied'],
]);

/** Under which word a refused token request is recorded. */
export const refusedAction = (req: Request): string =>
  REFUSED_ACTIONS.get(formOf(req)?.get('grant_type')) ?? 'token.issue_denied';

/** What moves twice while a request is decided on what is there now is not waited for. */
const READINGS: readonly Reading[] = ['remembered', 'now', 'now'];

/** A fault is no refusal: it passes. */
function asRefusal(refusal: unknown): { refusal: OAuthError } {
  if (refusal instanceof OAuthError && refusal.status < 500) return { refusal };
  throw refusal;
}

/** W28 */
function requireProof(proof: Proof | undefined, client: Client): void {
  if (!proof) throw new OAuthError('dpop-required', 'dpop_missing', { facts: { clientId: client.id } });
}
