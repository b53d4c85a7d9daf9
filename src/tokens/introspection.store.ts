import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';

/** An issuance with everything that decides whether its token is still active. */
export interface IssuanceState {
  jti: string;
  clientId: string;
  subject: string;
  /** Null for a token that no person stands behind; so is the version of a person who is gone. */
  userId: string | null;
  userVersion: number | null;
  /** Null for a token that names no resource. */
  resourceId: string | null;
  scopes: string[];
  familyId: string | null;
  consentId: string | null;
  /** The client that the person allowed: where the chain began. */
  consentClientId: string | null;
  ancestors: string[];
  agentChain: string[];
  expiresAt: Date;
  /** What was revoked of all that it stands on: 'jti', 'family', 'consent', 'key'. */
  revoked: string | null;
  /** Every client through whose hands it came. */
  clientsActive: boolean;
  /** True as well for a token that no person stands behind. */
  subjectActive: boolean;
}

@Injectable()
export class IntrospectionStore {
  constructor(private readonly database: Database) {}

  /** Validity is read upward: over the token and its ancestors, their families, consents, signing keys, clients and users (S5). */
  async read(jti: string): Promise<IssuanceState | undefined> {
    const [row] = await this.database.query<IssuanceState>(
      `with lineage as materialized (
         select t.jti, t.family_id, t.consent_id, t.kid, t.client_id, t.user_id from issuances t where t.jti = $1
         union all
         select a.jti, a.family_id, a.consent_id, a.kid, a.client_id, a.user_id
           from issuances t cross join unnest(t.ancestors) as up(jti) join issuances a on a.jti = up.jti where t.jti = $1)
       select i.jti, i.client_id as "clientId", i.subject, i.user_id as "userId", u.version::int as "userVersion",
              i.resource_id as "resourceId", i.scopes, i.family_id as "familyId", i.consent_id as "consentId",
              i.consent_client_id as "consentClientId", i.ancestors, i.agent_chain as "agentChain",
              i.expires_at as "expiresAt",
              (select min(r.kind) from (
                   select 'jti' as kind, i.jti::text as id union all select 'jti', unnest(i.ancestors)::text
                   union all select stands_on.* from lineage l cross join lateral
                     (values ('family', l.family_id::text), ('consent', l.consent_id::text), ('key', l.kid)) as stands_on) s
                 join revocations r on r.kind = s.kind and r.id = s.id) as revoked,
              (select bool_and(coalesce(c.status = 'active', false)) from lineage l left join clients c on c.id = l.client_id)
                as "clientsActive",
              (select bool_and(l.user_id is null or coalesce(p.status = 'active', false))
                 from lineage l left join users p on p.id = l.user_id) as "subjectActive"
         from issuances i left join users u on u.id = i.user_id
        where i.jti = $1`,
      [jti],
      'introspection.read',
    );
    return row;
  }
}
