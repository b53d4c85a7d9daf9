import { Injectable } from '@nestjs/common';
import { deriveKey, open, seal, SealBroken } from '#libs/vault';
import type { BrowserSession } from '../accounts/browser-sessions.js';
import { Config } from '../config/config.js';
import type { ConnectDoneProps } from './connect-done.page.js';

const CONTEXT = 'connect-result';

/** What came of a flow, sealed into the address of its last page: for the session in which it ended, and nobody else's eyes. */
@Injectable()
export class ConnectResults {
  readonly #key: Buffer;

  constructor(config: Config) {
    this.#key = deriveKey(config.session.secret, CONTEXT);
  }

  seal({ id }: BrowserSession, done: ConnectDoneProps): string {
    return seal(this.#key, JSON.stringify(done), contextOf(id));
  }

  /** @returns undefined when it was changed, or is of another session */
  open({ id }: BrowserSession, sealed: string): ConnectDoneProps | undefined {
    try {
      return JSON.parse(open(this.#key, sealed, contextOf(id)).toString()) as ConnectDoneProps;
    } catch (error) {
      if (error instanceof SealBroken) return undefined;
      throw error;
    }
  }
}

const contextOf = (sessionId: string): string => `${CONTEXT}:${sessionId}`;
