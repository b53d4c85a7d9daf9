import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch, readPolicyEpoch } from '../platform/postgres/policy-epoch.js';

/** What a group of an identity provider gives at a resource. */
export interface GroupScope {
  readonly id: string;
  /** The slug of the provider. */
  readonly provider: string;
  /** As the provider names it, byte for byte. */
  readonly group: string;
  readonly resourceId: string;
  readonly resourceSlug: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** How somebody stands at the identity provider at which they last signed in. */
export interface Standing {
  readonly provider: string;
  /** Null: it never said. */
  readonly groups: readonly string[] | null;
}

const GROUP_SCOPES = `select g.id, g.provider, g.group_name as "group", g.resource_id as "resourceId", r.slug as "resourceSlug", g.scopes,
    g.created_at as "createdAt", g.updated_at as "updatedAt" from group_scopes g join resources r on r.id = g.resource_id`;

@Injectable()
export class GroupScopeStore {
  constructor(private readonly database: Database) {}

  epoch(): Promise<number> {
    return readPolicyEpoch(this.database);
  }

  all(): Promise<GroupScope[]> {
    return this.database.query<GroupScope>(`${GROUP_SCOPES} order by g.provider, r.slug, g.group_name`);
  }

  async standing(userId: string): Promise<Standing | undefined> {
    const [row] = await this.database.query<Standing>(
      `select provider, groups from identities where user_id = $1 and provider is not null
        order by checked_at desc nulls last, created_at desc limit 1`,
      [userId],
      'identities.groups',
    );
    return row;
  }

  /** With what it declares; its catalogue stays as it is until the transaction ends. */
  async resource(tx: Transaction, slug: string): Promise<{ id: string; scopes: readonly string[] } | undefined> {
    const [row]: { id: string; scopes: { name: string }[] }[] = await tx.query(
      'select id, scopes from resources where slug = $1 for share',
      [slug],
    );
    return row && { id: row.id, scopes: row.scopes.map(({ name }) => name) };
  }

  /** @returns the row, and what it gave before if it was there */
  async save(
    tx: Transaction,
    { id, provider, group, resourceId, scopes, updatedAt }: Omit<GroupScope, 'resourceSlug' | 'createdAt'>,
  ): Promise<{ row: GroupScope; former?: readonly string[] }> {
    const place = [provider, group, resourceId];
    const [known]: { scopes: string[] }[] = await tx.query(
      'select scopes from group_scopes where provider = $1 and group_name = $2 and resource_id = $3 for update',
      place,
    );
    const [{ id: kept }]: [{ id: string }] = await tx.query(
      `insert into group_scopes (provider, group_name, resource_id, id, scopes, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $6)
       on conflict (provider, group_name, resource_id) do update set scopes = excluded.scopes, updated_at = excluded.updated_at
       returning id`,
      [...place, id, scopes, updatedAt],
    );
    await bumpPolicyEpoch(tx);
    const [row]: [GroupScope] = await tx.query(`${GROUP_SCOPES} where g.id = $1`, [kept]);
    return { row, former: known?.scopes };
  }

  /** @returns what it was; undefined when there is none with this id */
  async remove(tx: Transaction, id: string): Promise<GroupScope | undefined> {
    const [row]: GroupScope[] = await tx.query(`${GROUP_SCOPES} where g.id = $1 for update of g`, [id]);
    if (!row) return undefined;
    await tx.query('delete from group_scopes where id = $1', [id]);
    await bumpPolicyEpoch(tx);
    return row;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}
