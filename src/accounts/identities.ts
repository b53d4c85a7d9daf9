import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { uuid7 } from '../platform/uuid7.js';
import { IdentityStore } from './identity.store.js';
import { normalEmail, type User } from './user.js';
import { UserStore } from './user.store.js';

/** Somebody as an issuer knows them. */
export interface Arrival {
  /** Compared byte for byte. */
  readonly issuer: string;
  readonly subject: string;
  /** Kept if no other account has it. It never says who somebody is. */
  readonly email?: string;
  readonly name?: string;
  /** What `User.provider` says of an account made for this arrival. */
  readonly provider?: string;
}

export interface Identity {
  readonly id: string;
  readonly userId: string;
  readonly issuer: string;
  readonly subject: string;
  readonly createdAt: Date;
  /** The slug of the identity provider at which they last signed in as this one. */
  readonly provider?: string | null;
  readonly groups?: readonly string[] | null;
  /** When the provider last said that all is well. */
  readonly checkedAt?: Date | null;
  /** When it said that it is not. */
  readonly refusedAt?: Date | null;
}

/** The subject is somebody else's already. */
export class IdentityTaken extends Error {
  override readonly name = 'IdentityTaken';

  constructor(readonly userId: string) {
    super('this subject of this issuer is another account');
  }
}

/**
 * Which user somebody is who is known by an issuer and a subject there (W32). Two issuers with the same subject are two people; an
 * e-mail address links nobody to anything.
 */
@Injectable()
export class Identities {
  constructor(
    private readonly store: IdentityStore,
    private readonly users: UserStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async find(issuer: string, subject: string): Promise<User | undefined> {
    const userId = await this.store.find(issuer, subject);
    return userId === undefined ? undefined : this.users.find(userId);
  }

  async idOf(issuer: string, subject: string): Promise<string | undefined> {
    return this.store.idOf(issuer, subject);
  }

  /** The slug of the one at which they last signed in as this one. */
  providerOf(tx: Transaction, issuer: string, subject: string): Promise<string | undefined> {
    return this.store.providerOf(tx, issuer, subject);
  }

  /** By issuer and subject. */
  ofUser(userId: string): Promise<Identity[]> {
    return this.store.ofUser(userId);
  }

  /** Everybody whom an issuer knows here. */
  ofIssuer(issuer: string): Promise<Identity[]> {
    return this.store.ofIssuer(issuer);
  }

  /**
   * From now on `subject` is this user. Linking again changes nothing.
   *
   * @param userId a user that is there
   * @throws IdentityTaken
   */
  async link(tx: Transaction, userId: string, issuer: string, subject: string): Promise<void> {
    await this.store.lock(tx, issuer, subject);
    const linked = await this.store.find(issuer, subject, tx);
    if (linked === userId) return;
    if (linked !== undefined) throw new IdentityTaken(linked);
    await this.store.insert(tx, { issuer, subject, userId, createdAt: this.clock.now() });
    await this.audit.record(tx, { action: 'user.identity_linked', detail: { user: userId, issuer, subject } });
  }

  /** @returns undefined when there is no identity with this id */
  byId(tx: Transaction, id: string): Promise<Identity | undefined> {
    return this.store.byId(tx, id);
  }

  /**
   * Whoever is about to issue for this subject decides again (S6).
   *
   * @returns false when this subject is not this user
   */
  async unlink(tx: Transaction, userId: string, issuer: string, subject: string): Promise<boolean> {
    if (!(await this.store.remove(tx, userId, issuer, subject))) return false;
    await bumpPolicyEpoch(tx);
    await this.audit.record(tx, { action: 'user.identity_unlinked', detail: { user: userId, issuer, subject } });
    return true;
  }

  /**
   * The user, made just in time. However many arrive at once for the first time, they are one user.
   *
   * @param tx where the caller has one open; it then holds everybody back who arrives as the same subject until it ends
   */
  async findOrCreate(arrival: Arrival, tx?: Transaction): Promise<User> {
    const known = await this.find(arrival.issuer, arrival.subject);
    if (known) return known;
    return tx ? this.#create(arrival, tx) : this.store.transaction((own) => this.#create(arrival, own));
  }

  async #create({ issuer, subject, email, name, provider = 'oidc' }: Arrival, tx: Transaction): Promise<User> {
    await this.store.lock(tx, issuer, subject);
    const userId = await this.store.find(issuer, subject, tx);
    const already = userId === undefined ? undefined : await this.users.lock(tx, userId);
    if (already) return already;
    const createdAt = this.clock.now();
    const place = { role: 'user', status: 'active', provider, version: 1 } as const;
    const nameless: User = { id: uuid7(createdAt), name: storable(name ?? ''), ...place, createdAt };
    const address = email === undefined ? '' : normalEmail(storable(email));
    const named: User = address === '' ? nameless : { ...nameless, email: address };
    const kept = await this.users.insert(tx, named);
    if (!kept) await this.users.insert(tx, nameless);
    await this.store.insert(tx, { issuer, subject, userId: nameless.id, createdAt });
    await this.audit.record(tx, { action: 'user.created', detail: { user: nameless.id, issuer } });
    return kept ? named : nameless;
  }
}

const MAX_LENGTH = 320;

/** Text of somebody else's making: without what Postgres does not store, and no longer than an address may be. */
const storable = (text: string): string => text.slice(0, MAX_LENGTH).replace(/[\0\p{Cs}]/gu, '\ufffd');
