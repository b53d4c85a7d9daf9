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
  resourceId: string;
  audience: string;
  scopes: readonly string[];
  kid: string;
  familyId: string | null;
  consentId: string | null;
  consentClientId: string | null;
  agentId: string | null;
  issuedAt: Date;
  expiresAt: Date;
}

const COLUMNS = `jti, grant_type, client_id, subject, user_id, resource_id, audience, scopes, kid, family_id, consent_id,
  consent_client_id, agent_id, issued_at, expires_at`;

/** The insert of one issuance from its JSON, for a statement that also spends what it was issued for. */
export const INSERT_ISSUANCE = (parameter: string): string =>
  `insert into issuances (${COLUMNS}) select ${COLUMNS} from jsonb_to_record(${parameter}::jsonb) as r(jti uuid, grant_type text,
     client_id text, subject text, user_id uuid, resource_id uuid, audience text, scopes text[], kid text, family_id uuid,
     consent_id uuid, consent_client_id text, agent_id text, issued_at timestamptz, expires_at timestamptz)`;

export const issuanceValues = (row: IssuanceRow): string =>
  JSON.stringify({
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
    agent_id: row.agentId,
    issued_at: row.issuedAt,
    expires_at: row.expiresAt,
  });
