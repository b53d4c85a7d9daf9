import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { IdentityEntity } from './identity.entity.js';

@Injectable()
export class IdentityStore {
  constructor(private readonly database: Database) {}

  /** @returns the id of the user */
  async find(issuer: string, subject: string, tx?: Transaction): Promise<string | undefined> {
    const row = await (tx ?? this.database.manager).findOneBy(IdentityEntity, { issuer, subject });
    return row?.userId;
  }

  async idOf(issuer: string, subject: string): Promise<string | undefined> {
    return (await this.database.manager.findOneBy(IdentityEntity, { issuer, subject }))?.id;
  }

  async providerOf(tx: Transaction, issuer: string, subject: string): Promise<string | undefined> {
    return (await tx.findOneBy(IdentityEntity, { issuer, subject }))?.provider ?? undefined;
  }

  /** Until the transaction ends, nobody else decides who this subject is: there is no row yet that could be locked. */
  async lock(tx: Transaction, issuer: string, subject: string): Promise<void> {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended($1, length($2::text)))`, [
      `${issuer}\n${subject}`,
      issuer,
    ]);
  }

  async insert(tx: Transaction, row: Omit<IdentityEntity, 'id'>): Promise<void> {
    await tx.insert(IdentityEntity, row);
  }

  async ofUser(userId: string): Promise<IdentityEntity[]> {
    return this.database.manager.find(IdentityEntity, { where: { userId }, order: { issuer: 'ASC', subject: 'ASC' } });
  }

  async ofIssuer(issuer: string): Promise<IdentityEntity[]> {
    return this.database.manager.find(IdentityEntity, { where: { issuer }, order: { id: 'ASC' } });
  }

  async byId(tx: Transaction, id: string): Promise<IdentityEntity | undefined> {
    return (await tx.findOneBy(IdentityEntity, { id })) ?? undefined;
  }

  async remove(tx: Transaction, userId: string, issuer: string, subject: string): Promise<boolean> {
    return (await tx.delete(IdentityEntity, { userId, issuer, subject })).affected === 1;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}
