import { Injectable, Logger } from '@nestjs/common';
import { formatScope, OAuthError, tokenType } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { secondsSince } from '../platform/telemetry/metric.js';
import { upstreamIssuanceDuration } from '../platform/telemetry/protocol-metrics.js';
import { Clock } from '../platform/clock/clock.js';
import { uuid7 } from '../platform/uuid7.js';
import type { TokenAnswer } from '../tokens/authorization.js';
import { exchangeDetail } from '../tokens/exchange-detail.js';
import { decidedOn, issuanceOf } from '../tokens/token-rows.js';
import { OperatorTokens } from './operator-tokens.js';
import type { UpstreamAccess } from './upstream-access.js';
import { UpstreamTokens } from './upstream-tokens.js';
import { troubleOf } from './upstream-trouble.js';
import { namesCovered, upstreamNames, type Vend } from './vend.js';
import { VendStore } from './vend.store.js';

/**
 * Has upstream's token, stores that it was vended, then answers: what leaves was still allowed in the commit that records it. It cannot
 * be taken back afterwards, so that this commit verifies all that reading would find out later of a token of our own.
 */
@Injectable()
export class TokenVendor {
  readonly #log = new Logger(TokenVendor.name);

  constructor(
    private readonly upstream: UpstreamTokens,
    private readonly operator: OperatorTokens,
    private readonly store: VendStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * @returns the answer, or undefined when what was decided no longer holds and must be decided again
   * @throws OAuthError `exchange-denied` where upstream's token is good for more than groups give; `try-again` when upstream or the vault does not give what it should; the connection stays
   */
  async vend(vend: Vend): Promise<TokenAnswer | undefined> {
    const needed = upstreamNames(vend.resource, vend.scopes);
    const access = await this.#obtain(vend, needed);
    if (!access || !needed.every((word) => access.scopes.includes(word))) return undefined;
    const names = namesOf(vend, access);
    requireWithinGroups(vend, names);
    return this.#record({ ...vend, scopes: names }, access);
  }

  async #obtain({ provider, person, connected }: Vend, needed: readonly string[]): Promise<UpstreamAccess | undefined> {
    const startedAt = performance.now();
    try {
      return connected
        ? await this.upstream.of(provider, connected.connection, needed)
        : await this.operator.of(provider, needed, person.id);
    } catch (error) {
      const trouble = troubleOf(error);
      if (!trouble) throw error;
      const about = { provider: provider.slug, connection: connected?.connection.id };
      this.#log.warn({ message: 'upstream token not vended', reason: trouble.reason, ...about, error: String(error) });
      throw trouble;
    } finally {
      upstreamIssuanceDuration.observe({ provider: provider.slug }, secondsSince(startedAt));
    }
  }

  async #record(vend: Vend, access: UpstreamAccess): Promise<TokenAnswer | undefined> {
    const { client, person, resource, provider, connected } = vend;
    const now = this.clock.now();
    const { accessToken, expiresAt, scopes: upstreamScopes } = access;
    const issuance = issuanceOf(vend, resource.uri, {
      jti: uuid7(now),
      kid: null,
      issuedAt: now,
      expiresAt: expiresAt ?? now,
      connectionId: connected?.connection.id ?? null,
    });
    const detail = {
      ...exchangeDetail(vend, issuance),
      type: 'broker_dispatch',
      provider: provider.slug,
      connection: connected?.connection.id,
      connection_consent: connected?.consentId,
    };
    const about = { actorId: person.id, clientId: client.id };
    const issued = {
      jti: issuance.jti,
      provider: provider.slug,
      connection: connected?.connection.id,
      resource: resource.slug,
      scopes: vend.scopes,
      upstream_scopes: upstreamScopes,
      cached: access.cached,
    };
    const stored = await this.store.insert(
      decidedOn(vend),
      issuance,
      connected?.consentId,
      this.audit.rows(
        { action: 'token.exchanged', ...about, detail },
        { action: 'upstream.token.issued', ...about, detail: issued },
      ),
    );
    if (!stored) return undefined;
    const left = expiresAt && Math.max(0, Math.floor((expiresAt.getTime() - now.getTime()) / 1000));
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      ...(left === undefined ? {} : { expires_in: left }),
      scope: formatScope(vend.scopes),
      issued_token_type: tokenType.accessToken,
    };
  }
}

/** The scopes of the token as it is: more than was asked for where upstream cannot narrow it (W45). */
const namesOf = ({ resource, scopes }: Vend, access: UpstreamAccess): string[] => [
  ...new Set([...scopes, ...namesCovered(resource, access.scopes)]),
];

/** Upstream's token may be good for more than was asked for; groups bound what a person has, whoever would have narrowed it. */
function requireWithinGroups({ atMost, client, resource, provider }: Vend, names: readonly string[]): void {
  if (!atMost || names.every((name) => atMost.has(name))) return;
  const facts = { clientId: client.id, resource: resource.slug, provider: provider.slug, scopes: names };
  throw new OAuthError('exchange-denied', 'groups_not_narrowed', { facts });
}
