import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { ConsentEntity } from './consent.entity.js';
import type { ConnectedApp, Consent } from './consent.js';

interface Place {
  userId: string;
  clientId: string;
  resourceId: string;
}

@Injectable()
export class ConsentStore {
  constructor(private readonly database: Database) {}

  /** The one consent in force at a place. */
  async current(place: Place, tx: Transaction = this.database.manager): Promise<Consent | undefined> {
    const { userId, clientId, resourceId } = place;
    const inForce = { userId, clientId, resourceId, supersededAt: IsNull(), revokedAt: IsNull() };
    const row = await tx.findOneBy(ConsentEntity, inForce);
    return row ? toConsent(row) : undefined;
  }

  async find(id: string): Promise<Consent | undefined> {
    const row = await this.database.manager.findOneBy(ConsentEntity, { id });
    return row ? toConsent(row) : undefined;
  }

  /** Lets one transaction at a time change the consents of a place. */
  async lock(tx: Transaction, { userId, clientId, resourceId }: Place): Promise<void> {
    const place = JSON.stringify(['consent', userId, clientId, resourceId]);
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [place]);
  }

  async replace(tx: Transaction, former: Consent | undefined, consent: Consent): Promise<void> {
    if (former) await tx.update(ConsentEntity, { id: former.id }, { supersededAt: consent.createdAt });
    await tx.insert(ConsentEntity, {
      ...consent,
      scopes: [...consent.scopes],
      redirectUris: [...consent.redirectUris],
      supersededAt: null,
      revokedAt: null,
    });
  }

  /** Ends every consent of the place, superseded ones too: tokens under them are still alive. @returns their ids */
  async end(tx: Transaction, { userId, clientId, resourceId }: Place, now: Date): Promise<string[]> {
    const [rows] = (await tx.query(
      `update consents set revoked_at = $4
        where user_id = $1 and client_id = $2 and resource_id = $3 and revoked_at is null returning id`,
      [userId, clientId, resourceId, now],
    )) as [{ id: string }[], number];
    return rows.map(({ id }) => id);
  }

  connectedApps(userId: string): Promise<ConnectedApp[]> {
    return this.database.query<ConnectedApp>(
      `select k.id, k.client_id as "clientId", coalesce(c.name, k.client_id) as "clientName",
              k.resource_id as "resourceId", coalesce(nullif(r.display_name, ''), r.slug, '') as "resourceName",
              k.scopes, k.created_at as "createdAt",
              (select max(greatest(f.created_at, f.spent_at)) from families f
                where f.user_id = k.user_id and f.client_id = k.client_id and f.resource_id = k.resource_id) as "lastUsedAt"
         from consents k left join clients c on c.id = k.client_id left join resources r on r.id = k.resource_id
        where k.user_id = $1 and k.superseded_at is null and k.revoked_at is null
        order by k.id desc limit 500`,
      [userId],
      'consents.connected-apps',
    );
  }

  async history(userId: string): Promise<Consent[]> {
    const rows = await this.database.manager.find(ConsentEntity, {
      where: { userId },
      order: { id: 'DESC' },
      take: 1000,
    });
    return rows.map(toConsent);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

const toConsent = (row: ConsentEntity): Consent => ({
  ...row,
  supersededAt: row.supersededAt ?? undefined,
  revokedAt: row.revokedAt ?? undefined,
});
