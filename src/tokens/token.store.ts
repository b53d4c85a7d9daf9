import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { insertAudit } from '../audit/audit-rows.js';
import { Database, DatabaseAway, type Transaction } from '../platform/postgres/database.js';
import { InsertBatcher } from '../platform/postgres/insert-batcher.js';
import { ReadBatcher } from '../platform/postgres/read-batcher.js';
import type { CodeRow, DecidedOn, FamilyRow, IssuanceRow, NewCode, PendingIssuance } from './token-rows.js';
import { INSERT_ISSUANCE, insertIssuances, issuanceJson, pendingIssuance } from './token-rows.js';

export interface FamilyStart {
  id: string;
  liveHash: Buffer;
  expiresAt: Date;
  endsAt: Date;
  jkt?: string;
}

export interface FamilyTurn {
  id: string;
  presentedHash: Buffer;
  liveHash: Buffer;
  expiresAt: Date;
  /** The answer, sealed under the presented token; undefined where it may never be repeated. */
  sealedAnswer?: Buffer;
  /** Binds a family that is not bound yet (W9). */
  jkt?: string;
}

/** Verified by the statement itself: what was decided still holds (S6). `$1`–`$5` are the values of `versionsOf()`. */
const DECIDED_ON = `
  epoch as (select from policy_epoch where epoch = $1),
  client as (select from clients where id = $2 and version = $3 and status = 'active'),
  person as (select from users where id = $4 and version = $5 and status = 'active')`;
const STILL_SO = 'exists (select from epoch) and exists (select from client) and exists (select from person)';

const SPEND_CODE = `with ${DECIDED_ON},
  spent as (
    update authorization_codes set spent_at = $6
     where id = $7 and secret_hash = $8 and spent_at is null and expires_at > $6 and ${STILL_SO}
       and not exists (select from revocations r where r.kind = 'family' and r.id = family_id::text)
    returning *),
  family as (
    insert into families (id, client_id, user_id, resource_id, consent_id, scopes, generation, live_hash, created_at, expires_at, ends_at, jkt)
    select family_id, client_id, user_id, resource_id, consent_id, scopes, 1, $10, $6, $11, $12, $14 from spent where $10::bytea is not null),
  issued as (${INSERT_ISSUANCE('$9')} where exists (select from spent)),
  audited as (${insertAudit('$13', 'exists (select from spent)')})
  select count(*)::int as spent from spent`;

const ROTATE_FAMILY = `with ${DECIDED_ON},
  spent as (
    update families set previous_hash = live_hash, live_hash = $10, generation = generation + 1, spent_at = $6,
                        expires_at = $11, sealed_answer = $12, jkt = coalesce(jkt, $14)
     where id = $7 and live_hash = $8 and expires_at > $6 and ends_at > $6 and ${STILL_SO}
       and not exists (select from revocations r where r.kind = 'family' and r.id = $7::text)
    returning id),
  issued as (${INSERT_ISSUANCE('$9')} where exists (select from spent)),
  audited as (${insertAudit('$13', 'exists (select from spent)')})
  select count(*)::int as spent from spent`;

/**
 * `$7` stands for an assertion that works once, or is null. Who comes second waits for the first, and then stores nothing. The person
 * is absent where the token is about a program.
 */
const SPEND_ASSERTION = `with ${DECIDED_ON},
  ground as (select where exists (select from epoch) and exists (select from client) and ($4::uuid is null or exists (select from person))),
  spent as (
    insert into used_assertions (key, expires_at) select $7, $8 from ground where $7::bytea is not null
    on conflict (key) do update set expires_at = excluded.expires_at where used_assertions.expires_at <= $6
    returning true),
  free as (select from ground where $7::bytea is null union all select from spent),
  issued as (${INSERT_ISSUANCE('$9')} where exists (select from free)),
  audited as (${insertAudit('$10', 'exists (select from free)')})
  select exists (select from free) as spent, exists (select from ground) as holds`;

const REVOKED = (kind: string, id: string): string =>
  `(select reason from revocations r where r.kind = '${kind}' and r.id = ${id}::text)`;

/** What the person behind a row of this alias allows there by now. */
const CONSENT_SCOPES = (row: string): string =>
  `(select k.scopes from consents k where k.user_id = ${row}.user_id and k.client_id = ${row}.client_id
      and k.resource_id = ${row}.resource_id and k.superseded_at is null and k.revoked_at is null)`;

/** Whether the identity provider at which the person behind a row last signed in does not vouch for them any more (W47). */
const IDENTITY_REFUSED = (row: string): string =>
  `coalesce((select i.refused_at is not null from identities i where i.user_id = ${row}.user_id and i.provider is not null
      and i.checked_at is not null order by i.checked_at desc limit 1), false)`;

const READ_FAMILIES = `
  select f.id, f.client_id as "clientId", f.user_id as "userId", f.resource_id as "resourceId", f.consent_id as "consentId",
         f.scopes, f.generation, f.live_hash as "liveHash", f.previous_hash as "previousHash", f.spent_at as "spentAt",
         f.sealed_answer as "sealedAnswer", f.jkt, f.created_at as "createdAt", f.expires_at as "expiresAt", f.ends_at as "endsAt",
         u.version::int as "userVersion", coalesce(u.status = 'active', false) as "userActive",
         ${REVOKED('family', 'f.id')} as "revoked", ${REVOKED('consent', 'f.consent_id')} as "consentRevoked",
         ${CONSENT_SCOPES('f')} as "consentScopes", ${IDENTITY_REFUSED('f')} as "identityRefused"
    from families f left join users u on u.id = f.user_id where f.id = any($1::uuid[])`;

/** Codes, families and issuances. What must be atomic is one verb, one statement, one commit (S1). */
@Injectable()
export class TokenStore {
  readonly #issuances: InsertBatcher<PendingIssuance>;
  readonly #families: ReadBatcher<FamilyRow>;

  constructor(private readonly database: Database) {
    this.#issuances = new InsertBatcher<PendingIssuance>({
      run: (rowsJson) => this.database.query(insertIssuances(), [rowsJson], 'issuances.insert'),
      keyOf: ({ jti }) => jti,
    });
    this.#families = new ReadBatcher((ids) => this.database.query<FamilyRow>(READ_FAMILIES, [ids], 'families.read'));
  }

  /**
   * Stores an issuance that spends nothing, together with those of other requests that are waiting.
   *
   * @returns false when what was decided no longer holds
   */
  insertIssuance(on: DecidedOn, issuance: IssuanceRow, audit: string): Promise<boolean> {
    return this.#issuances.offer(pendingIssuance(on, issuance, audit));
  }

  async insertCode(tx: Transaction, code: NewCode): Promise<void> {
    await tx.query(
      `insert into authorization_codes (id, secret_hash, client_id, user_id, resource_id, consent_id, family_id, redirect_uri,
         scopes, code_challenge, created_at, expires_at, dpop_jkt)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        code.id,
        code.secretHash,
        code.clientId,
        code.userId,
        code.resourceId,
        code.consentId,
        code.familyId,
        code.redirectUri,
        code.scopes,
        code.codeChallenge,
        code.createdAt,
        code.expiresAt,
        code.dpopJkt,
      ],
    );
  }

  async readCode(id: string): Promise<CodeRow | undefined> {
    const [row] = await this.database.query<CodeRow>(
      `select c.id, c.secret_hash as "secretHash", c.client_id as "clientId", c.user_id as "userId", c.resource_id as "resourceId",
              c.consent_id as "consentId", c.family_id as "familyId", c.redirect_uri as "redirectUri", c.scopes,
              c.code_challenge as "codeChallenge", c.dpop_jkt as "dpopJkt", c.expires_at as "expiresAt", c.spent_at as "spentAt",
              u.version::int as "userVersion", coalesce(u.status = 'active', false) as "userActive",
              ${REVOKED('consent', 'c.consent_id')} as "consentRevoked", ${CONSENT_SCOPES('c')} as "consentScopes",
              ${REVOKED('family', 'c.family_id')} as "familyRevoked"
         from authorization_codes c left join users u on u.id = c.user_id where c.id = $1`,
      [id],
      'codes.read',
    );
    return row;
  }

  /** Together with those that other requests ask for. */
  readFamily(id: string): Promise<FamilyRow | undefined> {
    return this.#families.read(id);
  }

  /**
   * Redeems a code: spends it, starts its family if there is one to start, records issuance and audit.
   * @returns false when the code was spent or expired meanwhile, or what was decided no longer holds
   */
  spendCode(
    on: DecidedOn,
    now: Date,
    code: { id: string; hash: Buffer },
    issuance: IssuanceRow,
    family: FamilyStart | undefined,
    audit: string,
  ): Promise<boolean> {
    const values = [
      ...versionsOf(on),
      now,
      code.id,
      code.hash,
      JSON.stringify(issuanceJson(issuance)),
      family?.liveHash ?? null,
      family?.expiresAt ?? null,
      family?.endsAt ?? null,
      audit,
      family?.jkt ?? null,
    ];
    return this.#spend(SPEND_CODE, values, 'codes.spend', issuance.jti);
  }

  /** Rotates a family's one row (S4), under the same conditions and with the same result as `spendCode`. */
  rotateFamily(on: DecidedOn, now: Date, turn: FamilyTurn, issuance: IssuanceRow, audit: string): Promise<boolean> {
    const values = [
      ...versionsOf(on),
      now,
      turn.id,
      turn.presentedHash,
      JSON.stringify(issuanceJson(issuance)),
      turn.liveHash,
      turn.expiresAt,
      turn.sealedAnswer ?? null,
      audit,
      turn.jkt ?? null,
    ];
    return this.#spend(ROTATE_FAMILY, values, 'families.rotate', issuance.jti);
  }

  /** Stores what an assertion is given for, and the assertion with it. A refused one is not stored: it may come again (S7). */
  async spendAssertion(
    on: DecidedOn,
    now: Date,
    { key, keptUntil }: { key?: Buffer; keptUntil?: Date },
    issuance: IssuanceRow,
    audit: string,
  ): Promise<'stored' | 'replayed' | 'stale'> {
    const json = JSON.stringify(issuanceJson(issuance));
    const values = [...versionsOf(on), now, key ?? null, keptUntil ?? null, json, audit];
    return this.#orLookUp(issuance.jti, 'stored', async () => {
      const [row] = await this.database.query<{ spent: boolean; holds: boolean }>(
        SPEND_ASSERTION,
        values,
        'assertions.spend',
      );
      if (row?.spent) return 'stored';
      return row?.holds ? 'replayed' : 'stale';
    });
  }

  /** Ends a family together with the record of why; the first reason stays. */
  async revokeFamily(id: string, reason: string, now: Date, expiresAt: Date, audit: string): Promise<void> {
    await this.#revoke('family', id, reason, now, expiresAt, audit);
  }

  async revokeJti(jti: string, reason: string, now: Date, expiresAt: Date, audit: string): Promise<void> {
    await this.#revoke('jti', jti, reason, now, expiresAt, audit);
  }

  async #revoke(
    kind: 'family' | 'jti',
    id: string,
    reason: string,
    now: Date,
    expiresAt: Date,
    audit: string,
  ): Promise<void> {
    await this.database.query(
      `with revoked as (
         insert into revocations (kind, id, reason, at, expires_at) values ($1, $2, $3, $4, $5) on conflict do nothing)
       ${insertAudit('$6')}`,
      [kind, id, reason, now, expiresAt, audit],
      'tokens.revoke',
    );
  }

  /** A commit whose answer was lost is looked up by the id of its issuance before anybody is told anything. */
  async #spend(sql: string, values: unknown[], name: string, jti: string): Promise<boolean> {
    return this.#orLookUp(jti, true, async () => {
      const [row] = await this.database.query<{ spent: number }>(sql, values, name);
      return row?.spent === 1;
    });
  }

  /** @param stored what `work` gives when it has stored the issuance */
  async #orLookUp<T>(jti: string, stored: T, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof DatabaseAway) || !error.outcomeUnknown) throw error;
      await this.#requireIssued(jti, error);
      return stored;
    }
  }

  /**
   * Until nothing that was begun may still be committed: not there is not there then.
   *
   * @throws DatabaseAway unless it is there
   */
  async #requireIssued(jti: string, unknown: DatabaseAway): Promise<void> {
    const until = performance.now() + LOOK_UP_MILLIS;
    while (performance.now() < until) {
      await pause(400);
      try {
        const [{ underway } = { underway: true }] = await this.database.query<{ underway: boolean }>(COMMITS_UNDERWAY);
        const found = await this.database.query(FIND_ISSUED, [jti]);
        if (found.length === 1) return;
        if (!underway) throw new DatabaseAway(false, unknown);
      } catch (error) {
        if (!(error instanceof DatabaseAway) || error.cause === unknown) throw error;
      }
    }
    throw unknown;
  }
}

/** A look-up that began in time may end a little later. */
const LOOK_UP_MILLIS = 2_000;

/** A commit that waits for a standby or a disk is seen by nobody, and may come yet. */
const COMMITS_UNDERWAY = `
  select exists (
    select from pg_stat_activity
    where usename = current_user and datname = current_database() and pid <> pg_backend_pid()
      and state = 'active' and backend_xid is not null and query_start < clock_timestamp() - interval '300 milliseconds'
  ) as underway`;

/** It writes, so that its answer has to wait as the lost one had: what only this server knows may be forgotten with it. */
const FIND_ISSUED = `select pg_logical_emit_message(true, 'authplane', 'looked up') from issuances where jti = $1`;

const versionsOf = (on: DecidedOn): unknown[] => [
  on.policyEpoch,
  on.clientId,
  on.clientVersion,
  on.userId,
  on.userVersion,
];
