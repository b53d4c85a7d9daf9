import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import type { FrontingLink, ScopeMap } from './fronting-link.js';

const LINKS = `select l.source_id as "sourceId", l.target_id as "targetId", s.slug as "sourceSlug", t.slug as "targetSlug",
    l.scope_map as "scopeMap", l.created_at as "createdAt", l.created_by as "createdBy"
  from fronting_links l join resources s on s.id = l.source_id join resources t on t.id = l.target_id`;

@Injectable()
export class FrontingStore {
  constructor(private readonly database: Database) {}

  all(tx?: Transaction): Promise<FrontingLink[]> {
    const sql = `${LINKS} order by s.slug, t.slug`;
    return tx ? tx.query(sql) : this.database.query<FrontingLink>(sql, [], 'fronting.all');
  }

  /** One change of links at a time, so that no two of them close a circle together. */
  async lock(tx: Transaction): Promise<void> {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('fronting-links', 0))`);
  }

  /** @returns false when there is such a link */
  async insert(tx: Transaction, link: FrontingLink): Promise<boolean> {
    const rows: unknown[] = await tx.query(
      `insert into fronting_links (source_id, target_id, scope_map, created_at, created_by) values ($1, $2, $3, $4, $5)
       on conflict do nothing returning source_id`,
      [link.sourceId, link.targetId, JSON.stringify(link.scopeMap), link.createdAt, link.createdBy],
    );
    return rows.length === 1;
  }

  async setScopeMap(tx: Transaction, { sourceId, targetId }: FrontingLink, map: ScopeMap): Promise<void> {
    const values = [sourceId, targetId, JSON.stringify(map)];
    await tx.query('update fronting_links set scope_map = $3 where source_id = $1 and target_id = $2', values);
  }

  async remove(tx: Transaction, { sourceId, targetId }: FrontingLink): Promise<void> {
    await tx.query('delete from fronting_links where source_id = $1 and target_id = $2', [sourceId, targetId]);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}
