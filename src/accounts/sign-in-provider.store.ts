import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { violatedUnique } from '../platform/postgres/database-away.js';
import { bumpPolicyEpoch, readPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { SignInProviderEntity } from './sign-in-provider.entity.js';
import type { SignInProvider } from './sign-in-provider.js';

@Injectable()
export class SignInProviderStore {
  constructor(private readonly database: Database) {}

  epoch(): Promise<number> {
    return readPolicyEpoch(this.database);
  }

  /** By id, which is by time. */
  async all(): Promise<SignInProvider[]> {
    return (await this.database.manager.find(SignInProviderEntity, { order: { id: 'ASC' } })).map(toProvider);
  }

  async bySlug(slug: string): Promise<SignInProvider | undefined> {
    const row = await this.database.manager.findOneBy(SignInProviderEntity, { slug });
    return row ? toProvider(row) : undefined;
  }

  async lock(tx: Transaction, slug: string): Promise<SignInProvider | undefined> {
    const row = await tx.findOne(SignInProviderEntity, { where: { slug }, lock: { mode: 'pessimistic_write' } });
    return row ? toProvider(row) : undefined;
  }

  /** @returns whether the slug was free; else the transaction is lost */
  async insert(tx: Transaction, provider: SignInProvider): Promise<boolean> {
    try {
      await tx.insert(SignInProviderEntity, toRow(provider));
    } catch (error) {
      if (violatedUnique(error) === 'sign_in_providers_slug_key') return false;
      throw error;
    }
    await bumpPolicyEpoch(tx);
    return true;
  }

  async update(tx: Transaction, provider: SignInProvider): Promise<void> {
    await tx.update(SignInProviderEntity, { id: provider.id }, toRow(provider));
    await bumpPolicyEpoch(tx);
  }

  async remove(tx: Transaction, id: string): Promise<void> {
    await tx.delete(SignInProviderEntity, { id });
    await bumpPolicyEpoch(tx);
  }

  /** Whether there is anybody whom this provider signed in, or whom an operator linked to its issuer. */
  async isUsed(tx: Transaction, slug: string, issuer: string): Promise<boolean> {
    const rows: unknown[] = await tx.query(
      'select 1 from identities where provider = $1 or (provider is null and issuer = $2) limit 1',
      [slug, issuer],
    );
    return rows.length > 0;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

const toRow = (provider: SignInProvider): SignInProviderEntity => ({
  ...provider,
  sealedSecret: provider.sealedSecret ?? null,
});

const toProvider = (row: SignInProviderEntity): SignInProvider => ({
  ...row,
  settings: { ...row.settings },
  sealedSecret: row.sealedSecret ?? undefined,
});
