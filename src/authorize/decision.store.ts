import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import type { BrowserSession } from '../accounts/browser-sessions.js';
import { Clients } from '../clients/clients.js';
import { Database, type Transaction } from '../platform/postgres/database.js';
import type { AuthorizationRequest } from './authorization-request.js';

/** Stores a person's decision, if what it rests on still holds. */
@Injectable()
export class DecisionStore {
  constructor(
    private readonly database: Database,
    private readonly clients: Clients,
  ) {}

  /**
   * Runs `work` in a transaction in which the client, the person, their session and the policies are as they were when the request was read (S6);
   * a client known by its document alone gets its row here (P7).
   *
   * @throws OAuthError `temporarily_unavailable` when something changed meanwhile
   */
  decide<T>(
    request: Pick<AuthorizationRequest, 'client' | 'policyEpoch'>,
    { id, user }: BrowserSession,
    work: (tx: Transaction) => Promise<T>,
  ): Promise<T> {
    const { client, policyEpoch } = request;
    return this.database.transaction(async (tx) => {
      const version =
        client.registrationSource === 'cimd' ? await this.clients.upsertDocumentClient(tx, client) : client.version;
      const rows: unknown[] = await tx.query(
        `select from policy_epoch, clients c, users u
          where epoch = $1 and c.id = $2 and c.version = $3 and c.status = 'active' and u.id = $4 and u.version = $5 and u.status = 'active'
            and exists (select from sessions where id = $6)
            for share of c, u`,
        [policyEpoch, client.id, version, user.id, user.version, id],
      );
      if (rows.length !== 1) throw new OAuthError('try-again', 'stale_twice', { facts: { clientId: client.id } });
      return work(tx);
    });
  }
}
