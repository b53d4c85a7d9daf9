import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';
import { InsertBatcher } from '../platform/postgres/insert-batcher.js';
import {
  insertIssuances,
  pendingIssuance,
  type DecidedOn,
  type IssuanceRow,
  type PendingIssuance,
} from '../tokens/token-rows.js';

/**
 * What a vend stands on besides versions. Nobody can ask about the token later, so that all is verified here that is read upward of a
 * token of our own: the tokens before it, their families, consents, signing keys and clients; and the connection with its consent.
 */
const STILL_ALLOWED = `
  (g.connection_id is null or (
     exists (select from connections n where n.id = g.connection_id and n.status = 'active')
     and exists (select from connection_consents k where k.id = g.connection_consent_id and k.superseded_at is null and k.revoked_at is null)))
  and not exists (
    select from revocations r where (r.kind, r.id) in (
      select 'jti', unnest(g.ancestors)::text
      union all values ('family', g.family_id::text), ('consent', g.consent_id::text)
      union all select s.kind, s.id
        from unnest(g.ancestors) as up(jti) join issuances a on a.jti = up.jti
        cross join lateral (values ('family', a.family_id::text), ('consent', a.consent_id::text), ('key', a.kid)) as s(kind, id)))
  and not exists (
    select from unnest(g.ancestors) as up(jti) join issuances a on a.jti = up.jti left join clients p on p.id = a.client_id
     where p.status is distinct from 'active')`;

/** For the person to see. A row that somebody holds, perhaps while upstream is asked, is not waited for. */
const MARK_USED = `,
  last as (select distinct on (connection_id) connection_id, client_id, consent_client_id, issued_at from holds order by connection_id, issued_at desc),
  free as (select id from connections where id in (select connection_id from last) for no key update skip locked),
  used as (update connections n set last_used_at = l.issued_at, last_used_client_id = l.client_id,
       last_used_origin_client_id = l.consent_client_id
     from last l join free on free.id = l.connection_id where n.id = free.id)`;

const INSERT_VENDS = insertIssuances({
  members: 'connection_consent_id uuid',
  condition: STILL_ALLOWED,
  effect: MARK_USED,
});

/** What was vended. A batch of its own: its statement verifies more than that of our own tokens. */
@Injectable()
export class VendStore {
  readonly #vends: InsertBatcher<PendingIssuance>;

  constructor(private readonly database: Database) {
    this.#vends = new InsertBatcher<PendingIssuance>({
      run: (rowsJson) => this.database.query(INSERT_VENDS, [rowsJson], 'vends.insert'),
      keyOf: ({ jti }) => jti,
    });
  }

  /** @returns false when what was decided no longer holds */
  insert(
    on: DecidedOn,
    issuance: IssuanceRow,
    connectionConsentId: string | undefined,
    audit: string,
  ): Promise<boolean> {
    return this.#vends.offer({
      ...pendingIssuance(on, issuance, audit),
      connection_consent_id: connectionConsentId ?? null,
    });
  }
}
