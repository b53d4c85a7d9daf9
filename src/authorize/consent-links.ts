import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { deriveKey, open, seal, SealBroken } from '#libs/vault';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';

/** A question to one person: may this application use that resource? */
export interface ConsentQuestion {
  readonly userId: string;
  readonly clientId: string;
  readonly resourceId: string;
  /** The resource whose token was exchanged when the question came up. */
  readonly sourceResourceId?: string;
  readonly scopes: readonly string[];
}

const LIFETIME_SECONDS = 15 * 60;
const CONTEXT = 'consent-link';

/**
 * Links that ask a person for a consent outside a code flow (W35). The question is sealed into the link and nothing is stored; the link
 * signs nobody in, and works for nobody but the person whom it asks.
 */
@Injectable()
export class ConsentLinks {
  readonly #key: Buffer;
  readonly #issuer: string;

  constructor(
    config: Config,
    private readonly clock: Clock,
  ) {
    this.#key = deriveKey(config.session.secret, CONTEXT);
    this.#issuer = config.server.issuer;
  }

  make(question: ConsentQuestion): { url: string; expiresInSeconds: number } {
    const expiresAt = this.clock.now().getTime() + LIFETIME_SECONDS * 1000;
    const request = seal(this.#key, JSON.stringify({ question, expiresAt }), CONTEXT);
    return { url: `${this.#issuer}/consent?${new URLSearchParams({ request })}`, expiresInSeconds: LIFETIME_SECONDS };
  }

  /**
   * @returns undefined for what is no such link, but perhaps a request of a code flow
   * @throws OAuthError `request-expired`
   */
  open(sealed: string): ConsentQuestion | undefined {
    const content = this.#unseal(sealed);
    if (content && content.expiresAt <= this.clock.now().getTime())
      throw new OAuthError('request-expired', 'request_expired');
    return content?.question;
  }

  #unseal(sealed: string): { question: ConsentQuestion; expiresAt: number } | undefined {
    try {
      return JSON.parse(open(this.#key, sealed, CONTEXT).toString()) as {
        question: ConsentQuestion;
        expiresAt: number;
      };
    } catch (error) {
      if (error instanceof SealBroken) return undefined;
      throw error;
    }
  }
}
