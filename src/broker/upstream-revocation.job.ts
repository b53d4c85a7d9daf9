import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import { Job } from '../platform/queue/job.js';
import { ConnectionStore } from './connection.store.js';
import type { Connection } from './connection.js';
import { UPSTREAM_REVOCATION } from './connections.js';
import { Connectors } from './connectors/connectors.js';
import { CredentialVault } from './credential-vault.js';
import { Providers } from './providers.js';
import { UpstreamRefused } from './upstream-errors.js';

export interface EndedConnection {
  readonly connection: string;
}

/** Tells upstream that a credential is no longer wanted (RFC 7009), and forgets it then, or when upstream would not hear of it for hours. */
@Injectable()
export class UpstreamRevocationJob extends Job<EndedConnection> {
  readonly name = UPSTREAM_REVOCATION;
  override readonly lane = 'outside';
  /** With the doubling pauses: for six hours. */
  override readonly attempts = 13;
  override readonly backoffMillis = 5_000;

  constructor(
    private readonly store: ConnectionStore,
    private readonly providers: Providers,
    private readonly connectors: Connectors,
    private readonly vault: CredentialVault,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run({ connection: id }: EndedConnection): Promise<void> {
    const connection = await this.store.find(id);
    if (connection?.upstreamRevocation !== 'pending' || connection.sealedCredential === undefined) return;
    const provider = await this.providers.find(connection.providerId);
    if (!provider) return this.#settle(id, 'given_up');
    const { sealedCredential } = connection;
    const credential = await this.vault.openCredential({ ...connection, sealedCredential });
    try {
      await this.connectors.of(provider).revoke(provider, credential, {
        spare: await this.#isConnectedAgain(connection),
        keep: async (next) => this.store.keepUntilRevoked(id, await this.vault.sealCredential(connection, next)),
      });
    } catch (error) {
      if (!(error instanceof UpstreamRefused)) throw error; // what upstream refuses for good is not alive there any more
    }
    await this.#settle(id, 'done');
  }

  override giveUp({ connection }: EndedConnection): Promise<void> {
    return this.#settle(connection, 'given_up');
  }

  /** Perhaps the same account: what ends at upstream must not be the new connection. */
  async #isConnectedAgain({ userId, providerId, account }: Connection): Promise<boolean> {
    const current = await this.store.current(userId, providerId);
    if (!current) return false;
    return account === '' || current.account === '' || account === current.account;
  }

  #settle(id: string, outcome: 'done' | 'given_up'): Promise<void> {
    return this.store.transaction(async (tx) => {
      const settled = await this.store.settleRevocation(tx, id, outcome, this.clock.now());
      if (!settled) return;
      const action = outcome === 'done' ? 'upstream.revoked' : 'upstream.revocation_given_up';
      await this.audit.record(tx, { action, detail: { connection: id, ...settled } });
    });
  }
}
