import { Injectable } from '@nestjs/common';
import { SealBroken } from '#libs/vault';
import { AuditLog } from '../audit/audit-log.js';
import { EncryptionOff } from '../encryption/encryption.js';
import { Clock } from '../platform/clock/clock.js';
import { persistently } from '../platform/persistently.js';
import { DatabaseAway, type Transaction } from '../platform/postgres/database.js';
import { upstreamTokenRefreshes } from '../platform/telemetry/protocol-metrics.js';
import { AccessTokenCache } from './access-token-cache.js';
import type { Connection } from './connection.js';
import type { Credential, UpstreamToken } from './connectors/connector.js';
import { Connectors } from './connectors/connectors.js';
import { CredentialStore, type HeldConnection, type Refreshed } from './credential.store.js';
import { CredentialVault } from './credential-vault.js';
import type { Provider } from './provider.js';
import type { UpstreamAccess } from './upstream-access.js';
import { UpstreamAway, UpstreamMisconfigured, UpstreamRefused } from './upstream-errors.js';
import { retryAt, retryLater } from './upstream-trouble.js';

/** Upstream was asked nothing: what would be shown to it does not open. */
type Unreadable = SealBroken | EncryptionOff;
type Failure = UpstreamAway | UpstreamRefused | UpstreamMisconfigured | Unreadable;

/** What upstream said: asked once, however often the transaction around it is run. */
interface Asked {
  readonly connection: Connection;
  /** Before this, a refresh with the same credential was begun and nobody knows what came of it. */
  readonly outcomeUnknown: boolean;
  /** Whether there is something that upstream may have replaced. */
  readonly refreshable: boolean;
  readonly answer: UpstreamToken | Failure;
}

interface Gained {
  readonly connection: Connection;
  readonly refreshed: Refreshed;
  readonly access: UpstreamAccess;
}

/** With neither, the connection is not active any more. */
interface Turn {
  readonly access?: UpstreamAccess;
  /** Told after it is recorded. */
  readonly trouble?: UpstreamAway | UpstreamMisconfigured | Unreadable;
}

/**
 * One refresh of a connection, by one at a time over all processes. That upstream will be asked is committed before it is; what it
 * answers is committed before anybody sees it. Whoever finds that somebody died in between knows that the credential may be spent.
 */
@Injectable()
export class CredentialRefresh {
  constructor(
    private readonly store: CredentialStore,
    private readonly vault: CredentialVault,
    private readonly connectors: Connectors,
    private readonly cache: AccessTokenCache,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * @returns undefined, at once, while somebody else is at it; without a token when the connection is not active any more
   * @throws OAuthError `try-again`; UpstreamAway, UpstreamMisconfigured, SealBroken. The connection stays
   */
  async attempt(
    provider: Provider,
    id: string,
    scopes: readonly string[],
  ): Promise<{ readonly access?: UpstreamAccess } | undefined> {
    let asked: Asked | undefined;
    let gained: Gained | undefined;
    const turn = async (held: HeldConnection, tx: Transaction): Promise<Turn> => {
      if (held.connection.status !== 'active') return {};
      const kept = await this.cache.read(provider, held.connection, scopes);
      if (kept) return { access: kept };
      asked ??= await this.#ask(provider, held, scopes);
      const { answer } = asked;
      if (answer instanceof Error) return this.#fail(tx, asked, answer);
      gained ??= await this.#gain(provider, asked, answer, scopes);
      if (asked.refreshable && !(await this.#store(gained, provider, tx))) return {};
      if (!asked.refreshable && held.connection.failingSince) await this.store.setWorking(tx, held.connection);
      return { access: gained.access };
    };
    const done = await this.store.exclusively(id, turn).catch((error: unknown) => this.#salvage(gained, error));
    if (done?.trouble) throw done.trouble;
    return done;
  }

  async #ask(
    provider: Provider,
    { connection, outcomeUnknown }: HeldConnection,
    scopes: readonly string[],
  ): Promise<Asked> {
    const now = this.clock.now();
    if (connection.retryAt && connection.retryAt > now) throw retryLater(connection.retryAt, now);
    const credential = await this.#open(connection).catch(asUnreadable);
    if (credential instanceof Error) upstreamTokenRefreshes.inc({ provider: provider.slug, outcome: 'unreadable' });
    if (credential instanceof Error) return { connection, outcomeUnknown, refreshable: false, answer: credential };
    const refreshable = credential.refreshToken !== undefined;
    if (refreshable) await this.store.mark(connection, now);
    const answer = await this.connectors.of(provider).vend(provider, credential, scopes).catch(asFailure);
    upstreamTokenRefreshes.inc({ provider: provider.slug, outcome: outcomeOf(answer) });
    return { connection, outcomeUnknown, refreshable, answer };
  }

  async #open(connection: Connection): Promise<Credential> {
    const { sealedCredential } = connection;
    if (sealedCredential === undefined) throw new SealBroken();
    return this.vault.openCredential({ ...connection, sealedCredential });
  }

  /** Seals what upstream gave. Tried again: a vault that is away for a moment must not lose a credential that exists nowhere else. */
  async #gain(provider: Provider, asked: Asked, token: UpstreamToken, scopes: readonly string[]): Promise<Gained> {
    const { connection, refreshable } = asked;
    const expected = refreshable && this.cache.narrows(provider) ? scopes : connection.scopes;
    const told = token.scopes ?? expected;
    const { credential } = token;
    const sealedCredential =
      credential && (await persistently(() => this.vault.sealCredential(connection, credential)));
    // Keeping the access token is worth nothing beside keeping the credential.
    const kept = refreshable ? await this.cache.keep(provider, connection, token, told).catch(() => ({})) : {};
    return {
      connection,
      refreshed: {
        scopes: connection.scopes.filter((word) => told.includes(word) || !expected.includes(word)),
        sealedCredential,
        ...kept,
      },
      access: { accessToken: token.accessToken, expiresAt: this.#endOf(token), scopes: told, cached: false },
    };
  }

  #endOf({ expiresInSeconds }: UpstreamToken): Date | undefined {
    return expiresInSeconds === undefined ? undefined : new Date(this.clock.now().getTime() + expiresInSeconds * 1000);
  }

  async #store({ connection, refreshed }: Gained, provider: Provider, tx?: Transaction): Promise<boolean> {
    const stored = await this.store.replaceCredential(connection, refreshed, this.clock.now(), tx);
    if (!stored || !tx) return stored;
    const rotated = refreshed.sealedCredential !== undefined;
    const detail = { connection: connection.id, provider: provider.slug, version: connection.version + 1, rotated };
    await this.audit.record(tx, { action: 'upstream.token.refreshed', actorId: connection.userId, detail });
    return true;
  }

  async #fail(tx: Transaction, { connection, outcomeUnknown }: Asked, error: Failure): Promise<Turn> {
    const now = this.clock.now();
    if (error instanceof UpstreamRefused) {
      const reason = outcomeUnknown ? 'refresh_outcome_lost' : 'upstream_refused';
      await this.store.requireReconnect(tx, connection, reason, now);
      const { id, userId, providerId } = connection;
      const detail = { connection: id, provider_id: providerId, upstream_error: error.code };
      await this.audit.record(tx, { action: 'connection.reconnect_required', reason, actorId: userId, detail });
      return {};
    }
    if (error instanceof SealBroken || error instanceof EncryptionOff) {
      // Nobody has to be spared: once it opens again, it is used at once.
      await this.store.setFailing(tx, connection, 'vault_unreadable', now);
      return { trouble: error };
    }
    // A mark that stood there before stands for another refresh, about which this answer says nothing.
    if (!error.outcomeUnknown && !outcomeUnknown) await this.store.unmark(tx, connection);
    const why = error instanceof UpstreamMisconfigured ? `misconfigured: ${error.code}` : error.why;
    const again = retryAt(error, now, connection.failingSince);
    await this.store.setFailing(tx, connection, why, now, again);
    return { trouble: error };
  }

  /** The commit failed, and upstream's new credential is here and nowhere else: it is stored late rather than lost. */
  async #salvage(gained: Gained | undefined, error: unknown): Promise<Turn> {
    if (!(error instanceof DatabaseAway) || gained?.refreshed.sealedCredential === undefined) throw error;
    const { connection, refreshed, access } = gained;
    const stored = await persistently(() => this.store.replaceCredential(connection, refreshed, this.clock.now()));
    return stored ? { access } : {};
  }
}

function outcomeOf(answer: UpstreamToken | Failure): string {
  if (answer instanceof UpstreamAway) return 'away';
  if (answer instanceof UpstreamRefused) return 'refused';
  return answer instanceof Error ? 'misconfigured' : 'success';
}

function asFailure(error: unknown): Failure {
  if (error instanceof UpstreamAway || error instanceof UpstreamRefused || error instanceof UpstreamMisconfigured)
    return error;
  throw error;
}

function asUnreadable(error: unknown): Unreadable {
  if (error instanceof SealBroken || error instanceof EncryptionOff) return error;
  throw error;
}
