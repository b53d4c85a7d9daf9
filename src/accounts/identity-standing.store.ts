import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import type { Standing } from './identity-standing.js';

/** How people stand at identity providers, as it is heard again: by one at a time, over all processes, without a connection being held. */
@Injectable()
export class IdentityStandingStore {
  constructor(private readonly database: Database) {}

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  /** At the provider at which they last signed in: nothing but a sign-in makes another identity the one that was checked last. */
  async ofUser(userId: string): Promise<Standing | undefined> {
    const [row] = await this.database.query<StandingRow>(OF_USER, [userId], 'identities.standing');
    if (!row) return undefined;
    const { refusedAt, checkBeganAt, checkAgainAt, sealedRefreshToken, ...standing } = row;
    return {
      ...standing,
      refusedAt: refusedAt ?? undefined,
      checkBeganAt: checkBeganAt ?? undefined,
      checkAgainAt: checkAgainAt ?? undefined,
      sealedRefreshToken: sealedRefreshToken ?? undefined,
    };
  }

  /**
   * Says, before the provider is asked, that it will be: who dies at it leaves this behind.
   *
   * @returns false when somebody else was faster, or signed in
   */
  async begin({ identityId, checkedAt, checkBeganAt }: Standing, now: Date): Promise<boolean> {
    const rows = await this.database.query(
      BEGIN,
      [identityId, now, checkedAt, checkBeganAt ?? null],
      'identities.check-begin',
    );
    return rows.length === 1;
  }

  /** @returns false when this check counts no more: somebody signed in, or took it over */
  async welcome(tx: Transaction, { identityId, groups }: Standing, begunAt: Date, heard: Welcome): Promise<boolean> {
    const [, stored]: [unknown[], number] = await tx.query(
      `update identities set checked_at = $3, groups = $4, sealed_refresh_token = coalesce($5, sealed_refresh_token),
              check_began_at = null, check_again_at = null
        where id = $1 and check_began_at = $2`,
      [identityId, begunAt, heard.at, heard.groups, heard.sealedRefreshToken ?? null],
    );
    if (stored === 1 && !sameGroups(groups, heard.groups)) await bumpPolicyEpoch(tx);
    return stored === 1;
  }

  /** The provider does not vouch for them any more; or, without `refusedAt`, there is nothing left to ask it with. */
  async forget(tx: Transaction, { identityId }: Standing, begunAt: Date, refusedAt?: Date): Promise<boolean> {
    const [, stored]: [unknown[], number] = await tx.query(
      `update identities set refused_at = $3, sealed_refresh_token = null, check_began_at = null, check_again_at = null
        where id = $1 and check_began_at = $2`,
      [identityId, begunAt, refusedAt ?? null],
    );
    return stored === 1;
  }

  /** @param unknown whether the refresh token that is there may be spent: the mark stays to tell so */
  async postpone(
    { identityId }: Standing,
    begunAt: Date,
    { until, unknown, sealedRefreshToken }: { until: Date; unknown: boolean; sealedRefreshToken?: string },
  ): Promise<void> {
    await this.database.query(
      `update identities set check_again_at = $3, sealed_refresh_token = coalesce($5, sealed_refresh_token),
              check_began_at = case when $4 then check_began_at end
        where id = $1 and check_began_at = $2`,
      [identityId, begunAt, until, unknown, sealedRefreshToken ?? null],
      'identities.check-postpone',
    );
  }
}

export interface Welcome {
  readonly at: Date;
  readonly groups: readonly string[] | null;
  readonly sealedRefreshToken?: string;
}

/** As the database gives it. */
type StandingRow = { [Name in keyof Standing]-?: Standing[Name] | null } & Pick<
  Standing,
  'identityId' | 'userId' | 'issuer' | 'subject' | 'provider' | 'groups' | 'checkedAt'
>;

const OF_USER = `
  select id as "identityId", user_id as "userId", issuer, subject, provider, groups, checked_at as "checkedAt", refused_at as "refusedAt",
         check_began_at as "checkBeganAt", check_again_at as "checkAgainAt", sealed_refresh_token as "sealedRefreshToken"
    from identities where user_id = $1 and provider is not null and checked_at is not null order by checked_at desc limit 1`;

/** Times have come through JavaScript, which knows milliseconds. */
const BEGIN = `
  update identities set check_began_at = $2
   where id = $1 and refused_at is null and date_trunc('milliseconds', checked_at) = $3::timestamptz
     and date_trunc('milliseconds', check_began_at) is not distinct from $4::timestamptz
  returning true as begun`;

const sameGroups = (one: readonly string[] | null, other: readonly string[] | null): boolean =>
  JSON.stringify(one) === JSON.stringify(other);
