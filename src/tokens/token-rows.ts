import { insertAudit } from '../audit/audit-rows.js';

/** The rows of this module as its logic sees them. */
export interface NewCode {
  id: string;
  secretHash: Buffer;
  clientId: string;
  userId: string;
  resourceId: string;
  consentId: string;
  familyId: string;
  redirectUri: string;
  scopes: readonly string[];
  codeChallenge: string;
  /** The key that the authorization request named (RFC 9449 §10). */
  dpopJkt: string | null;
  createdAt: Date;
  expiresAt: Date;
}

/** The person behind a row, and what that person allows by now, read with it. */
interface Person {
  userId: string;
  userVersion: number | null;
  userActive: boolean;
  consentRevoked: string | null;
  /** What the consent in force at this place allows; null when there is none. */
  consentScopes: string[] | null;
}

export interface CodeRow extends Omit<NewCode, 'createdAt'>, Person {
  userId: string;
  spentAt: Date | null;
  /** Why the family that it would begin is over already, if it is. */
  familyRevoked: string | null;
}

export interface FamilyRow extends Person {
  id: string;
  clientId: string;
  resourceId: string;
  consentId: string;
  scopes: string[];
  generation: number;
  liveHash: Buffer;
  previousHash: Buffer | null;
  spentAt: Date | null;
  sealedAnswer: Buffer | null;
  /** The key that its tokens are bound to (W9). */
  jkt: string | null;
  createdAt: Date;
  expiresAt: Date;
  endsAt: Date;
  /** Why the family was revoked, if it was. */
  revoked: string | null;
}

export interface IssuanceRow {
  jti: string;
  grantType: string;
  clientId: string;
  subject: string;
  userId: string | null;
  resourceId: string | null;
  audience: string;
  scopes: readonly string[];
  kid: string;
  familyId: string | null;
  consentId: string | null;
  consentClientId: string | null;
  parentJti: string | null;
  ancestors: readonly string[];
  agentId: string | null;
  dpopJkt: string | null;
  agentChain: readonly string[];
  issuedAt: Date;
  expiresAt: Date;
}

const COLUMNS = `jti, grant_type, client_id, subject, user_id, resource_id, audience, scopes, kid, family_id, consent_id,
  consent_client_id, parent_jti, ancestors, agent_id, agent_chain, dpop_jkt, issued_at, expires_at`;

const RECORD = `jti uuid, grant_type text, client_id text, subject text, user_id uuid, resource_id uuid, audience text, scopes text[],
  kid text, family_id uuid, consent_id uuid, consent_client_id text, parent_jti uuid, ancestors uuid[],
  agent_id text, agent_chain text[], dpop_jkt text, issued_at timestamptz, expires_at timestamptz`;

/** The insert of one issuance from its JSON, for a statement that also spends what it was issued for. */
export const INSERT_ISSUANCE = (parameter: string): string =>
  `insert into issuances (${COLUMNS}) select ${COLUMNS} from jsonb_to_record(${parameter}::jsonb) as r(${RECORD})`;

/**
 * The insert of many issuances with their audit rows, each if what it was decided on still holds (S6). `$1` is a JSON array of
 * issuances, each with `client_version`, `user_version`, `policy_epoch` and `audit`. Returns the keys of those stored.
 */
export const INSERT_ISSUANCES = `
  with given as materialized (
    select * from jsonb_to_recordset($1::jsonb) as r(${RECORD}, client_version bigint, user_version bigint, policy_epoch bigint, audit jsonb)),
  holds as materialized (
    select g.* from given g
      join policy_epoch e on e.epoch = g.policy_epoch
      join clients c on c.id = g.client_id and c.version = g.client_version and c.status = 'active'
     where g.user_id is null
        or exists (select from users u where u.id = g.user_id and u.version = g.user_version and u.status = 'active')),
  issued as (insert into issuances (${COLUMNS}) select ${COLUMNS} from holds returning jti),
  audited as (${insertAudit("(select coalesce(jsonb_agg(row), '[]') from holds h, jsonb_array_elements(h.audit) row)")})
  select jti as key from issued`;

export const issuanceJson = (row: IssuanceRow): Record<string, unknown> => ({
  jti: row.jti,
  grant_type: row.grantType,
  client_id: row.clientId,
  subject: row.subject,
  user_id: row.userId,
  resource_id: row.resourceId,
  audience: row.audience,
  scopes: row.scopes,
  kid: row.kid,
  family_id: row.familyId,
  consent_id: row.consentId,
  consent_client_id: row.consentClientId,
  parent_jti: row.parentJti,
  ancestors: row.ancestors,
  agent_id: row.agentId,
  dpop_jkt: row.dpopJkt,
  agent_chain: row.agentChain,
  issued_at: row.issuedAt,
  expires_at: row.expiresAt,
});
