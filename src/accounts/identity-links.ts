import { Injectable } from '@nestjs/common';
import type { Transaction } from '../platform/postgres/database.js';
import { Identities, type Identity } from './identities.js';
import { SessionStore } from './session.store.js';
import { UserStore } from './user.store.js';

export type EndTokens = (tx: Transaction, userId: string) => Promise<unknown>;

/** What an operator does about who is whom: the only way by which an account that is there becomes somebody's of an identity provider. */
@Injectable()
export class IdentityLinks {
  constructor(
    private readonly identities: Identities,
    private readonly users: UserStore,
    private readonly sessions: SessionStore,
  ) {}

  /** @returns undefined when there is no such user */
  async of(userId: string): Promise<Identity[] | undefined> {
    return (await this.users.find(userId)) && this.identities.ofUser(userId);
  }

  /**
   * @returns false when there is no such user
   * @throws IdentityTaken
   */
  link(userId: string, issuer: string, subject: string): Promise<boolean> {
    return this.users.transaction(async (tx) => {
      if (!(await this.users.lock(tx, userId))) return false;
      await this.identities.link(tx, userId, issuer, subject);
      return true;
    });
  }

  /**
   * Ends the sessions that began there, which were somebody else's, and what applications have: it may have been bound by the groups or
   * the refusal of that provider, which nobody would know of any more.
   *
   * @param endTokens of a person, inside the transaction that has locked them
   * @returns false when this was not this user
   */
  unlink(userId: string, issuer: string, subject: string, endTokens: EndTokens): Promise<boolean> {
    return this.users.transaction(async (tx) => {
      const provider = await this.identities.providerOf(tx, issuer, subject);
      if (!(await this.identities.unlink(tx, userId, issuer, subject))) return false;
      // Identity, then user, as a sign-in does.
      await this.users.lock(tx, userId);
      if (provider !== undefined) await this.sessions.removeOfProvider(tx, userId, provider);
      await endTokens(tx, userId);
      return true;
    });
  }
}
