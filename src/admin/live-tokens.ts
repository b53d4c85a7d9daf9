import { Injectable } from '@nestjs/common';
import { Issuances } from '../tokens/issuances.js';
import { conflict } from './problem.js';

/** Keeps an operator from deleting, by mistake, what people are signed in with. */
@Injectable()
export class LiveTokens {
  constructor(private readonly issuances: Issuances) {}

  /**
   * @param what as in `client`
   * @throws Problem 409 when a token family or an access token of the client or user is alive
   */
  async refuseWhileAny(what: string, of: { userId?: string; clientId?: string }): Promise<void> {
    if (!(await this.issuances.anyAlive(of))) return;
    throw conflict(
      `${what}_has_active_tokens`,
      `this ${what} has active tokens; force=true deletes it all the same, and they end`,
    );
  }
}
