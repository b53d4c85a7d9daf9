import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { deriveKey, open, seal, SealBroken } from '#libs/vault';
import { CONNECT_MARK } from '../accounts/sign-in-goal.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';

/** Asks one person to connect an account, and to let one MCP server have of it what is named. */
export interface ConnectQuestion {
  readonly userId: string;
  /** The application that began the chain. */
  readonly clientId: string;
  /** The Mint resource that stands for the MCP server. */
  readonly sourceResourceId: string;
  /** The broker resource. */
  readonly targetResourceId: string;
  readonly providerSlug: string;
  /** Names of the target's scopes. */
  readonly scopes: readonly string[];
  readonly returnUrl?: string;
}

/** What somebody wants who opened the connect page by themselves: an account is connected, and nobody is given anything of it. */
export interface ConnectErrand {
  readonly targetResourceId: string;
  readonly providerSlug: string;
  readonly returnUrl?: string;
}

export type ConnectPurpose = ConnectQuestion | ConnectErrand;

export const isQuestion = (purpose: ConnectPurpose): purpose is ConnectQuestion => 'userId' in purpose;

interface Sealed {
  readonly purpose: ConnectPurpose;
  /** Milliseconds. */
  readonly expiresAt: number;
}

const LIFETIME_SECONDS = 15 * 60;
const CONTEXT = 'connect-link';

/**
 * Links to the connect page (W35). What is asked is sealed into the link and nothing is stored; the link signs nobody in, and a
 * question works for nobody but the person whom it asks.
 */
@Injectable()
export class ConnectLinks {
  readonly #key: Buffer;
  readonly #base: string;

  constructor(
    config: Config,
    private readonly clock: Clock,
  ) {
    this.#key = deriveKey(config.session.secret, CONTEXT);
    this.#base = config.connect.redirectBaseUrl ?? config.server.issuer;
  }

  make(question: ConnectQuestion): { url: string; expiresInSeconds: number } {
    const search = new URLSearchParams({ request: this.seal(question) });
    return { url: `${this.#base}/connect/${question.providerSlug}?${search}`, expiresInSeconds: LIFETIME_SECONDS };
  }

  seal(purpose: ConnectPurpose): string {
    return this.#seal({ purpose, expiresAt: this.clock.now().getTime() + LIFETIME_SECONDS * 1000 });
  }

  /** Seals a purpose in place of the one it was made of, which does not make it live longer. */
  sealAgain(former: string, purpose: ConnectPurpose): string {
    return this.#seal({ purpose, expiresAt: this.#unseal(former).expiresAt });
  }

  /** @throws OAuthError for a page: changed, never ours, or too late */
  open(sealed: string): ConnectPurpose {
    const { purpose, expiresAt } = this.#unseal(sealed);
    if (expiresAt <= this.clock.now().getTime()) throw new OAuthError('request-expired', 'request_expired');
    return purpose;
  }

  #seal(content: Sealed): string {
    return `${CONNECT_MARK}${seal(this.#key, JSON.stringify(content), CONTEXT)}`;
  }

  #unseal(sealed: string): Sealed {
    try {
      const value = sealed.startsWith(CONNECT_MARK) ? sealed.slice(CONNECT_MARK.length) : '';
      return JSON.parse(open(this.#key, value, CONTEXT).toString()) as Sealed;
    } catch (error) {
      if (error instanceof SealBroken) throw new OAuthError('connect-link-unknown', 'connect_link_changed');
      throw error;
    }
  }
}
