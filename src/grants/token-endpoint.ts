import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError, required, type Form } from '#libs/oauth';
import { ClientAuthenticator } from '../clients/client-authenticator.js';
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
    private readonly grants: Grants,
    private readonly issuer: TokenIssuer,
  ) {}

  /** @throws OAuthError; with `temporarily_unavailable` nothing was consumed or issued */
  async answer(req: Request, form: Form): Promise<TokenAnswer> {
    const answer = (await this.#attempt(req, form)) ?? (await this.#attempt(req, form));
    if (!answer) throw new OAuthError('try-again', 'stale_twice');
    return answer;
  }

  /** @returns undefined when what was decided was changed before it was stored, and must be decided again (S6) */
  async #attempt(req: Request, form: Form): Promise<TokenAnswer | undefined> {
    const type = required(form, 'grant_type');
    const client = await this.authenticator.authenticate(req, form);
    const grant = this.grants.of(type, client);
    const decision = await grant.authorize(form, client);
    return 'repeated' in decision ? decision.repeated : this.issuer.issue(decision);
  }
}
