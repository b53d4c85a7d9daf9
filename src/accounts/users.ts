import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { PasswordHashing } from './password-hashing.js';
import { SessionStore } from './session.store.js';
import { EmailTaken, normalEmail, type NewUser, type User } from './user.js';
import { UserStore } from './user.store.js';

export { EmailTaken, type NewUser, type User };

/** Why a password did not prove who somebody is: for the audit, never for the page. */
export type RefusedBecause = 'user_not_found' | 'user_disabled' | 'user_not_local' | 'invalid_credentials';

export type PasswordCheck =
  | { readonly matches: true; readonly user: User; readonly passwordHash: string }
  | { readonly matches: false; readonly reason: RefusedBecause; readonly userId?: string };

@Injectable()
export class Users {
  constructor(
    private readonly store: UserStore,
    private readonly sessions: SessionStore,
    private readonly passwords: PasswordHashing,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** @param id a UUID */
  find(id: string): Promise<User | undefined> {
    return this.store.find(id);
  }

  /** @param email in any spelling */
  async withEmail(email: string): Promise<User | undefined> {
    return (await this.store.credential(normalEmail(email)))?.user;
  }

  /** By id, oldest first; `cursor` is the last id of the page before. */
  list({ limit, cursor }: { limit: number; cursor?: string }): Promise<User[]> {
    return this.store.list(limit, cursor);
  }

  /** @throws PasswordUnfit, EmailTaken */
  async create({ email, name = '', password, role = 'user' }: NewUser): Promise<User> {
    const passwordHash = await this.passwords.hash(password);
    const createdAt = this.clock.now();
    const place = { role, status: 'active', provider: 'local', version: 1 } as const;
    const user: User = { id: uuid7(createdAt), email: normalEmail(email), name, ...place, createdAt };
    await this.store.transaction(async (tx) => {
      if (!(await this.store.insert(tx, user, passwordHash))) throw new EmailTaken();
      await this.#record(tx, 'user.created', user.id);
    });
    return user;
  }

  /**
   * @returns undefined when there is no such user
   * @throws EmailTaken
   */
  update(id: string, { email, name }: { email?: string; name?: string }): Promise<User | undefined> {
    return this.#change(id, async (tx, user) => {
      const changed = {
        ...user,
        name: name ?? user.name,
        email: email === undefined ? user.email : normalEmail(email),
      };
      if (!(await this.store.update(tx, changed, this.clock.now()))) throw new EmailTaken();
      await this.#record(tx, 'user.updated', id);
      return changed;
    });
  }

  /** Ends every session for good, and with the version every statement that was about to issue for this user (S6). */
  disable(id: string): Promise<User | undefined> {
    return this.#setStatus(id, 'disabled');
  }

  enable(id: string): Promise<User | undefined> {
    return this.#setStatus(id, 'active');
  }

  /** And in the same commit ends whatever `alsoEnd` ends. @returns false when there is no such user */
  delete(id: string, alsoEnd: (tx: Transaction) => Promise<void> = async () => {}): Promise<boolean> {
    return this.store.transaction(async (tx) => {
      if (!(await this.store.remove(tx, id))) return false;
      await alsoEnd(tx);
      await this.#record(tx, 'user.deleted', id);
      return true;
    });
  }

  /**
   * Sets a local user's password and ends every session for good.
   *
   * @param actorId the user, when it is they who change it; an operator is nobody
   * @returns the hash stored, with which a new session may be opened; undefined when there is no such local user
   * @throws PasswordUnfit
   */
  async setPassword(id: string, password: string, actorId?: string): Promise<string | undefined> {
    const passwordHash = await this.passwords.hash(password);
    return this.#change(id, async (tx, user) => {
      if (user.provider !== 'local') return undefined;
      await this.store.update(tx, { ...user, version: user.version + 1 }, this.clock.now());
      await this.store.setPasswordHash(tx, id, passwordHash, this.clock.now());
      await this.sessions.removeAll(tx, id);
      await this.#record(tx, 'user.password_changed', id, actorId);
      return passwordHash;
    });
  }

  /**
   * Ends every session for good, and in the same commit whatever `alsoEnd` ends. The new version makes everybody who is about to store
   * something for this person decide again (S6).
   *
   * @returns what `alsoEnd` gives; undefined when there is no such user
   */
  signOut<T>(id: string, alsoEnd: (tx: Transaction) => Promise<T>): Promise<T | undefined> {
    return this.#change(id, async (tx, user) => {
      await this.store.update(tx, { ...user, version: user.version + 1 }, this.clock.now());
      await this.sessions.removeAll(tx, id);
      return alsoEnd(tx);
    });
  }

  /** One verification is made whatever is wrong, so that time does not tell which (W23). */
  async checkPassword(email: string, password: string): Promise<PasswordCheck> {
    const found = await this.store.credential(normalEmail(email));
    const passwordHash = found?.user.provider === 'local' ? found.passwordHash : undefined;
    const matches = await this.passwords.verify(passwordHash, password);
    if (!found) return { matches: false, reason: 'user_not_found' };
    const { user } = found;
    if (passwordHash === undefined) return { matches: false, reason: 'user_not_local', userId: user.id };
    if (user.status !== 'active') return { matches: false, reason: 'user_disabled', userId: user.id };
    if (!matches) return { matches: false, reason: 'invalid_credentials', userId: user.id };
    return { matches: true, user, passwordHash };
  }

  #setStatus(id: string, status: User['status']): Promise<User | undefined> {
    return this.#change(id, async (tx, user) => {
      if (user.status === status) return user;
      const changed = { ...user, status, version: user.version + 1 };
      await this.store.update(tx, changed, this.clock.now());
      await this.sessions.removeAll(tx, id);
      await this.#record(tx, status === 'active' ? 'user.enabled' : 'user.disabled', id);
      return changed;
    });
  }

  #change<T>(id: string, work: (tx: Transaction, user: User) => Promise<T | undefined>): Promise<T | undefined> {
    return this.store.transaction(async (tx) => {
      const user = await this.store.lock(tx, id);
      return user && work(tx, user);
    });
  }

  #record(tx: Transaction, action: string, userId: string, actorId?: string): Promise<void> {
    return this.audit.record(tx, { action, actorId, detail: { user: userId } });
  }
}
