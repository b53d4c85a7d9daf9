import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError } from '#libs/oauth';
import { deriveKey, open, seal, SealBroken } from '#libs/vault';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { ReplayStore } from '../platform/ephemeral/replay-store.js';
import { FlowCookie } from './flow-cookie.js';
import type { IdentityProvider } from './identity-provider.js';

const LIFETIME_MS = 10 * 60 * 1000;
const CONTEXT = 'oidc-sign-in';

/** An operator may make another of the provider with the same slug meanwhile. */
type Place = Pick<IdentityProvider, 'slug' | 'issuer' | 'clientId'>;

/** What is remembered of a sign-in while the person is at the identity provider. */
export interface PendingSignIn {
  readonly provider: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  /** The sealed request to go on with, unread. */
  readonly request?: string;
}

interface SealedContent extends PendingSignIn {
  readonly madeAt: string;
}

/**
 * The `state` of a sign-in: everything about it, sealed, and bound to the browser that began (W34). Nothing is stored before it
 * comes back; then it is remembered as spent.
 */
@Injectable()
export class SignInStates {
  readonly #key: Buffer;

  constructor(
    private readonly flow: FlowCookie,
    private readonly replays: ReplayStore,
    private readonly clock: Clock,
    config: Config,
  ) {
    this.#key = deriveKey(config.session.secret, CONTEXT);
  }

  /** @returns the state, and what is in it */
  begin(
    req: Request,
    res: Response,
    { slug: provider, issuer, clientId }: Place,
    request: string | undefined,
  ): { readonly state: string; readonly pending: PendingSignIn } {
    const [nonce = '', codeVerifier = ''] = [random(), random()];
    const pending: PendingSignIn = { provider, issuer, clientId, nonce, codeVerifier, request };
    const content: SealedContent = { ...pending, madeAt: this.clock.now().toISOString() };
    const state = seal(this.#key, JSON.stringify(content), `${CONTEXT}:${this.flow.ensure(req, res)}`);
    return { state, pending };
  }

  /**
   * @param provider whose callback was opened
   * @throws OAuthError for a page: of another browser or provider, also one that has taken the place of this one, too late, a second time
   */
  async spend(req: Request, state: string, { slug: provider, issuer, clientId }: Place): Promise<PendingSignIn> {
    const content = this.#unseal(state, this.flow.require(req));
    const facts = { provider, begunAt: content.provider };
    if (content.provider !== provider || content.issuer !== issuer || content.clientId !== clientId)
      throw new OAuthError('sign-in-flow-over', 'sign_in_of_another_provider', { facts });
    const expiresAt = new Date(new Date(content.madeAt).getTime() + LIFETIME_MS);
    if (this.clock.now() > expiresAt) throw new OAuthError('sign-in-flow-over', 'sign_in_expired', { facts });
    const key = createHash('sha256').update(`${CONTEXT}:${content.nonce}`).digest();
    if (!(await this.replays.claim(key, expiresAt)))
      throw new OAuthError('sign-in-flow-over', 'sign_in_spent', { facts });
    return content;
  }

  #unseal(state: string, flow: string): SealedContent {
    try {
      return JSON.parse(open(this.#key, state, `${CONTEXT}:${flow}`).toString()) as SealedContent;
    } catch (error) {
      if (error instanceof SealBroken) throw new OAuthError('flow-of-another-browser', 'flow_cookie_mismatch');
      throw error;
    }
  }
}

const random = (): string => randomBytes(32).toString('base64url');
