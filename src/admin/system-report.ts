import { Injectable } from '@nestjs/common';
import { grantType } from '#libs/oauth';
import { RegistrationMode } from '../clients/registration-mode.js';
import { Config } from '../config/config.js';
import { version } from '../config/version.js';
import { Grants } from '../grants/grants.js';
import { Clock } from '../platform/clock/clock.js';
import { Readiness } from '../platform/health/readiness.js';

interface Notice {
  /** Stable, so that a client can remember that it was read. */
  readonly id: string;
  readonly severity: 'info' | 'warning';
  readonly title: string;
  readonly body: string;
}

/** How this process is and what it was told, member by member: no secret is among what is named here. */
@Injectable()
export class SystemReport {
  readonly #startedAt: Date;

  constructor(
    private readonly settings: Config,
    private readonly readiness: Readiness,
    private readonly registration: RegistrationMode,
    private readonly grants: Grants,
    private readonly clock: Clock,
  ) {
    this.#startedAt = clock.now();
  }

  async status(): Promise<object> {
    const seconds = Math.floor((this.clock.now().getTime() - this.#startedAt.getTime()) / 1000);
    const { checks } = await this.readiness.check();
    const { storage, signing, dataEncryption } = this.settings;
    return {
      version,
      uptime: `${Math.floor(seconds / 3600)}h${Math.floor(seconds / 60) % 60}m${seconds % 60}s`,
      uptime_secs: seconds,
      subsystems: [
        { name: 'storage', status: checks.database, driver: storage.driver },
        ...(checks.redis === undefined ? [] : [{ name: 'redis', status: checks.redis }]),
        { name: 'signing', status: checks.signing ?? 'ok', driver: signing.keyStore },
        ...(checks.encryption === undefined
          ? []
          : [{ name: 'encryption', status: checks.encryption, driver: dataEncryption.driver }]),
      ],
    };
  }

  async config(): Promise<object> {
    const { server, storage, signing, dataEncryption, rateLimit, dpop, tokenExchange } = this.settings;
    const has = (type: string): boolean => this.grants.types.includes(type);
    const mode = await this.registration.get();
    return {
      issuer: server.issuer,
      storage: { driver: storage.driver },
      signing: { algorithm: signing.algorithm, key_store: signing.keyStore },
      encryption: { driver: dataEncryption.driver ?? '' },
      dcr: { mode },
      rate_limit: { enabled: rateLimit.enabled },
      client_credentials: { enabled: has(grantType.clientCredentials) },
      dpop: {
        enabled: dpop.enabled,
        ...(dpop.enabled ? { nonce_ttl: `${dpop.nonceTtlSeconds}s` } : {}),
        require_nonce: dpop.enabled && dpop.requireNonce,
      },
      token_exchange: {
        enabled: has(grantType.tokenExchange),
        ...(has(grantType.tokenExchange) ? { max_chain_depth: tokenExchange.maxChainDepth } : {}),
      },
      agents: { enabled: true, jwks_listing: false },
      oidc: { enabled: false },
      notices: this.#notices(mode),
    };
  }

  #notices(mode: string): Notice[] {
    if (mode === 'admin_only' || this.settings.oauth.defaultClientScope !== '') return [];
    return [
      {
        id: 'default-client-scope-unset',
        severity: 'warning',
        title: 'Self-registered clients have no ceiling',
        body:
          `Registration is ${mode} and oauth.default_client_scope is not set: whoever registers a client may ask people for ` +
          'every scope that a resource declares.',
      },
    ];
  }
}
