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
           where f.id = g.family_id and f.generation = g.generation and least(f.expires_at, f.ends_at) > g.issued_at)
  and not exists (
    select from revocations r where (r.kind, r.id) in (values ('family', g.family_id::text), ('consent', g.consent_id::text)))`;

const INSERT = insertIssuances({ members: 'generation integer', condition: STILL_STANDS });

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

  /** @returns false when what was decided no longer holds */
  insert(on: DecidedOn, issuance: IssuanceRow, generation: number, audit: string): Promise<boolean> {
    return this.#assertions.offer({ ...pendingIssuance(on, issuance, audit), generation });
  }
}
