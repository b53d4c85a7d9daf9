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
 * What an assertion stands on besides versions. Whoever gets it cannot ask about it later, so that all is verified here: the family with
 * the very token that was shown, and the consent.
 */
const STILL_STANDS = `
  exists (select from families f
           where f.id = g.family_id and f.generation = g.generation and least(f.expires_at, f.ends_at) > g.decided_at)
  and not exists (
    select from revocations r where (r.kind, r.id) in (values ('family', g.family_id::text), ('consent', g.consent_id::text)))`;

const INSERT = insertIssuances({ members: 'generation integer, decided_at timestamptz', condition: STILL_STANDS });

/** The assertions that we issued. */
@Injectable()
export class IssuedAssertionStore {
  readonly #assertions: InsertBatcher<PendingIssuance>;

  constructor(private readonly database: Database) {
    this.#assertions = new InsertBatcher<PendingIssuance>({
      run: (rowsJson) => this.database.query(INSERT, [rowsJson], 'assertions.issue'),
      keyOf: ({ jti }) => jti,
    });
  }

  /**
   * @param shown the place of the refresh token in its family, and when
   * @returns false when what was decided no longer holds
   */
  insert(
    on: DecidedOn,
    issuance: IssuanceRow,
    shown: { generation: number; at: Date },
    audit: string,
  ): Promise<boolean> {
    const { generation, at } = shown;
    // The row's own time is in whole seconds.
    return this.#assertions.offer({ ...pendingIssuance(on, issuance, audit), generation, decided_at: at });
  }
}
