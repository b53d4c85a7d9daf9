import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';

/** An issuance with everything that decides whether its token is still active. */
export interface IssuanceState {
  jti: string;
  clientId: string;
  /** Null for a token that names no resource. */
  resourceId: string | null;
  agentId: string | null;
  agentChain: string[];
  expiresAt: Date;
  /** What was revoked of all that it stands on: 'jti', 'family', 'consent', 'key'. */
  revoked: string | null;
  clientActive: boolean;
  /** True as well for a token that no person stands behind. */
  subjectActive: boolean;
}

@Injectable()
export class IntrospectionStore {
  constructor(private readonly database: Database) {}

  /** Validity is read upward: over the token, its ancestors, family, consent, signing key, client and user (S5). */
  async read(jti: string): Promise<IssuanceState | undefined> {
    const [row] = await this.database.query<IssuanceState>(
      `select i.jti, i.client_id as "clientId", i.resource_id as "resourceId", i.agent_id as "agentId",
              i.agent_chain as "agentChain", i.expires_at as "expiresAt",
              (select min(r.kind) from revocations r
                where (r.kind = 'jti' and (r.id = i.jti::text or r.id = any (i.ancestors::text[])))
                   or (r.kind = 'family' and r.id = i.family_id::text)
                   or (r.kind = 'consent' and r.id = i.consent_id::text)
                   or (r.kind = 'key' and r.id = i.kid)) as revoked,
              coalesce(c.status = 'active', false) as "clientActive",
              (i.user_id is null or coalesce(u.status = 'active', false)) as "subjectActive"
         from issuances i
         left join clients c on c.id = i.client_id
         left join users u on u.id = i.user_id
        where i.jti = $1`,
      [jti],
      'introspection.read',
    );
    return row;
  }
}
