import { Injectable } from '@nestjs/common';
import { Issuances } from '../tokens/issuances.js';
import { conflict } from './problem.js';

const pageSize = 500;

/** Keeps an operator from deleting, by mistake, what people are signed in with. */
@Injectable()
export class LiveTokens {
  constructor(private readonly issuances: Issuances) {}

  /**
   * @param what as in `client`
   * @throws Problem 409 when a token family of the client or user is alive
   */
  async refuseWhileAny(what: string, of: { userId?: string; clientId?: string }): Promise<void> {
    for (let offset = 0; ; offset += pageSize) {
      const families = await this.issuances.families(of, pageSize, offset);
      if (families.some(({ revokedAt }) => revokedAt === null)) {
        throw conflict(
          `${what}_has_active_tokens`,
          `this ${what} has active tokens; force=true deletes it all the same, and they end`,
        );
      }
      if (families.length < pageSize) return;
    }
  }
}
