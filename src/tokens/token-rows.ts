import { insertAudit } from '../audit/audit-rows.js';
import type { Decision } from './authorization.js';

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
  /** Their identity provider does not vouch for the person; after a sign-in there it does again. */
  identityRefused: boolean;
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
  /** The key it is signed with; null for an upstream's token. */
  kid: string | null;
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
  /** The person's upstream account that it was had of. */
  connectionId: string | null;
}

/** What only the token itself tells; the rest is in the decision. */
export type TokenFacts = Pick<IssuanceRow, 'jti' | 'kid' | 'issuedAt' | 'expiresAt'> &
  Partial<Pick<IssuanceRow, 'familyId' | 'dpopJkt' | 'connectionId'>>;

/** The row that stands for a token. @param audience for a token that names no resource */
export function issuanceOf(decision: Decision, audience: string, token: TokenFacts): IssuanceRow {
  const { grantType, client, person, resource, scopes, derivation } = decision;
  return {
    grantType,
    clientId: client.id,
    subject: subjectOf(decision),
    userId: person?.id ?? null,
    resourceId: resource?.id ?? null,
    audience: resource?.uri ?? audience,
    scopes,
    familyId: derivation?.familyId ?? null,
    consentId: person?.consentId ?? null,
    consentClientId: person ? (derivation?.originClientId ?? client.id) : null,
    parentJti: derivation?.parentJti ?? null,
    ancestors: derivation?.ancestors ?? [],
    agentId: client.agentConfirmed ? client.id : null,
    agentChain: derivation?.chain.agentChain ?? [],
    dpopJkt: null,
    connectionId: null,
    ...token,
  };
}

/** Whom a token is about: the person, or else the client itself. */
export const subjectOf = ({ client, person, derivation }: Decision): string =>
  derivation?.subject ?? person?.id ?? client.id;

const COLUMNS = `jti, grant_type, client_id, subject, user_id, resource_id, audience, scopes, kid, family_id, consent_id,
  consent_client_id, parent_jti, ancestors, agent_id, agent_chain, dpop_jkt, issued_at, expires_at, connection_id`;

const RECORD = `jti uuid, grant_type text, client_id text, subject text, user_id uuid, resource_id uuid, audience text, scopes text[],
  kid text, family_id uuid, consent_id uuid, consent_client_id text, parent_jti uuid, ancestors uuid[],
  agent_id text, agent_chain text[], dpop_jkt text, issued_at timestamptz, expires_at timestamptz, connection_id uuid`;

/** The insert of one issuance from its JSON, for a statement that also spends what it was issued for. */
export const INSERT_ISSUANCE = (parameter: string): string =>
  `insert into issuances (${COLUMNS}) select ${COLUMNS} from jsonb_to_record(${parameter}::jsonb) as r(${RECORD})`;

/** The rest of a batched insert: what else its rows carry, what else must hold, and what else it does with those that do. */
export interface IssuanceBatch {
  /** Further members of each row, as `name type`. */
  readonly members?: string;
  /** SQL over the row `g`. */
  readonly condition?: string;
  /** A further data-modifying `with` query over `holds`, with its comma. */
  readonly effect?: string;
}

/**
 * The insert of many issuances with their audit rows, each if what it was decided on still holds (S6). `$1` is a JSON array of
 * `pendingIssuance(…)`. Returns the keys of those stored.
 */
export const insertIssuances = ({ members, condition = 'true', effect = '' }: IssuanceBatch = {}): string => `
  with given as materialized (
    select * from jsonb_to_recordset($1::jsonb) as r(${RECORD}, client_version bigint, user_version bigint, policy_epoch bigint,
      audit jsonb${members === undefined ? '' : `, ${members}`})),
  holds as materialized (
    select g.* from given g
      join policy_epoch e on e.epoch = g.policy_epoch
      join clients c on c.id = g.client_id and c.version = g.client_version and c.status = 'active'
     where (g.user_id is null
        or exists (select from users u where u.id = g.user_id and u.version = g.user_version and u.status = 'active'))
       and (${condition})),
  issued as (insert into issuances (${COLUMNS}) select ${COLUMNS} from holds returning jti),
  audited as (${insertAudit("(select coalesce(jsonb_agg(row), '[]') from holds h, jsonb_array_elements(h.audit) row)")})${effect}
  select jti as key from issued`;

/** The versions a decision rests on. */
export interface DecidedOn {
  policyEpoch: number;
  clientId: string;
  clientVersion: number;
  /** Null when the token is about the client itself. */
  userId: string | null;
  userVersion: number | null;
}

export const decidedOn = ({ policyEpoch, client, person }: Decision): DecidedOn => ({
  policyEpoch,
  clientId: client.id,
  clientVersion: client.version,
  userId: person?.id ?? null,
  userVersion: person?.version ?? null,
});

/** A row of `insertIssuances`. */
export type PendingIssuance = Record<string, unknown> & { jti: string };

export const pendingIssuance = (on: DecidedOn, issuance: IssuanceRow, audit: string): PendingIssuance => ({
  ...issuanceJson(issuance),
  jti: issuance.jti,
  client_version: on.clientVersion,
  user_version: on.userVersion,
  policy_epoch: on.policyEpoch,
  audit: JSON.parse(audit) as unknown,
});

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
  connection_id: row.connectionId,
});
