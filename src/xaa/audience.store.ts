import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { violatedUnique } from '../platform/postgres/database-away.js';
import type { Audience } from './audience.js';

const AUDIENCES = `select id, audience, client_id as "clientId", audience_client_id as "audienceClientId", resources, scopes,
    include_email as "includeEmail", enabled, created_at as "createdAt", updated_at as "updatedAt" from id_jag_audiences`;

@Injectable()
export class AudienceStore {
  constructor(private readonly database: Database) {}

  all(): Promise<Audience[]> {
    return this.database.query<Audience>(`${AUDIENCES} order by id`);
  }

  async find(id: string): Promise<Audience | undefined> {
    return (await this.database.query<Audience>(`${AUDIENCES} where id = $1`, [id]))[0];
  }

  async of(clientId: string, audience: string): Promise<Audience | undefined> {
    const sql = `${AUDIENCES} where client_id = $1 and audience = $2`;
    return (await this.database.query<Audience>(sql, [clientId, audience], 'id-jag-audiences.read'))[0];
  }

  /** Locks the row until the transaction ends. */
  async lock(tx: Transaction, id: string): Promise<Audience | undefined> {
    const rows: Audience[] = await tx.query(`${AUDIENCES} where id = $1 for update`, [id]);
    return rows[0];
  }

  /** @returns false when the client has another row for the audience; the transaction is lost then */
  async save(tx: Transaction, row: Audience): Promise<boolean> {
    const { id, audience, clientId, audienceClientId, resources, scopes, includeEmail, enabled } = row;
    const values = [id, audience, clientId, audienceClientId, resources, scopes, includeEmail, enabled];
    try {
      await tx.query(
        `insert into id_jag_audiences (id, audience, client_id, audience_client_id, resources, scopes, include_email, enabled,
           created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (id) do update set audience_client_id = $4, resources = $5, scopes = $6, include_email = $7, enabled = $8,
           updated_at = $10`,
        [...values, row.createdAt, row.updatedAt],
      );
      return true;
    } catch (error) {
      if (violatedUnique(error) === 'id_jag_audiences_place') return false;
      throw error;
    }
  }

  async remove(tx: Transaction, id: string): Promise<void> {
    await tx.query('delete from id_jag_audiences where id = $1', [id]);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}
