import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { sqlState } from '../platform/postgres/database-away.js';
import type { User } from './user.js';
import { UserEntity } from './user.entity.js';

const UNIQUE_VIOLATION = '23505';

/** A user, with what a password is checked against. */
export interface Credential {
  readonly user: User;
  readonly passwordHash?: string;
}

@Injectable()
export class UserStore {
  constructor(private readonly database: Database) {}

  async find(id: string): Promise<User | undefined> {
    const row = await this.database.manager.findOneBy(UserEntity, { id });
    return row ? toUser(row) : undefined;
  }

  /** @param email in its normal spelling */
  async credential(email: string): Promise<Credential | undefined> {
    const row = await this.database.manager
      .createQueryBuilder(UserEntity, 'u')
      .where('lower(u.email) = :email', { email })
      .getOne();
    return row ? { user: toUser(row), passwordHash: row.passwordHash ?? undefined } : undefined;
  }

  /** By id, oldest first. */
  async list(limit: number, cursor?: string): Promise<User[]> {
    const where = cursor === undefined ? {} : { id: MoreThan(cursor) };
    const rows = await this.database.manager.find(UserEntity, { where, order: { id: 'ASC' }, take: limit });
    return rows.map(toUser);
  }

  /**
   * @param passwordHash of a user who signs in with a password
   * @returns false when another account has the address
   */
  async insert(tx: Transaction, user: User, passwordHash?: string): Promise<boolean> {
    const row = { ...user, email: user.email ?? null, passwordHash: passwordHash ?? null, updatedAt: user.createdAt };
    const { raw } = await tx
      .createQueryBuilder()
      .insert()
      .into(UserEntity)
      .values(row)
      .orIgnore()
      .returning('id')
      .execute();
    return Array.isArray(raw) && raw.length === 1;
  }

  /** Locks the row until the transaction ends; every change begins here, so that changes of one user stand in line. */
  async lock(tx: Transaction, id: string): Promise<User | undefined> {
    const row = await tx.findOne(UserEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
    return row ? toUser(row) : undefined;
  }

  /** @returns false when another account has the address; the transaction is lost then */
  async update(tx: Transaction, { id, ...columns }: User, now: Date): Promise<boolean> {
    try {
      await tx.update(UserEntity, { id }, { ...columns, updatedAt: now });
      return true;
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION) return false;
      throw error;
    }
  }

  async setPasswordHash(tx: Transaction, id: string, passwordHash: string, now: Date): Promise<void> {
    await tx.update(UserEntity, { id }, { passwordHash, updatedAt: now });
  }

  async remove(tx: Transaction, id: string): Promise<boolean> {
    return (await tx.delete(UserEntity, { id })).affected === 1;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

const toUser = ({ passwordHash: _, updatedAt: __, ...row }: UserEntity): User => ({
  ...row,
  email: row.email ?? undefined,
});
