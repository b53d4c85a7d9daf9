import { Injectable, Logger } from '@nestjs/common';
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import * as oidc from 'openid-client';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { FetchFailed } from '../platform/http-client/fetch-errors.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import { jwksCacheHits, jwksCacheMisses } from '../platform/telemetry/protocol-metrics.js';
import type { IdentityProvider } from './identity-provider.js';

const TIMEOUT_SECONDS = 5;
const MAX_BYTES = 64 * 1024;
const FRESH_MS = 60 * 60 * 1000;
/** How long a discovery document does while its host is away. */
const LAST_RESORT_MS = 24 * 60 * 60 * 1000;

/** No issuer is asked more often for keys that it does not have (W44). */
const ASK_FOR_KEY_EVERY_MS = 60_000;
const KEYS_FRESH_MS = 5 * 60 * 1000;

/** The host answers, with an excuse. */
export class Excused extends FetchFailed {
  constructor(readonly status: number) {
    super('connect');
  }
}

interface Known {
  readonly configuration: oidc.Configuration;
  readonly refreshing: oidc.Configuration;
  readonly keys: JWTVerifyGetKey;
  readonly readAt: Date;
}

/**
 * This server as a client of identity providers: what `openid-client` needs to know of each, read once an hour. Its keys are
 * remembered with it and asked for again when a token names another one, once a minute at most.
 */
@Injectable()
export class OidcClient {
  readonly #log = new Logger(OidcClient.name);
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<Known>>();

  constructor(
    private readonly http: GuardedFetch,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** @throws what `openid-client` throws */
  async of(provider: IdentityProvider): Promise<oidc.Configuration> {
    return (await this.#recall(provider)).configuration;
  }

  /**
   * For refreshes: it leaves the signature of an ID token to the caller, who has the next refresh token in hand by then. Were the keys
   * not to be had, that would be lost otherwise.
   */
  async refreshing(provider: IdentityProvider): Promise<oidc.Configuration> {
    return (await this.#recall(provider)).refreshing;
  }

  /** The keys of a provider, for what it signs and `openid-client` does not read. */
  async keysOf(provider: IdentityProvider): Promise<JWTVerifyGetKey> {
    return (await this.#recall(provider)).keys;
  }

  async #recall(provider: IdentityProvider): Promise<Known> {
    const key = JSON.stringify([provider.issuer, provider.clientId, provider.clientSecret]);
    const known = this.#known.get(key);
    const age = known ? this.clock.now().getTime() - known.readAt.getTime() : Infinity;
    const fresh = known && age < FRESH_MS;
    (fresh ? jwksCacheHits : jwksCacheMisses).inc();
    if (fresh) return known;
    try {
      return await this.#shared(key, provider);
    } catch (error) {
      if (!known || age >= LAST_RESORT_MS) throw error;
      this.#log.warn({ message: 'identity provider not read again', provider: provider.slug, error: String(error) });
      return known;
    }
  }

  #shared(key: string, provider: IdentityProvider): Promise<Known> {
    const asking = this.#asking.get(key);
    if (asking) return asking;
    const asked = this.#discover(key, provider).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #discover(key: string, { issuer, clientId, clientSecret }: IdentityProvider): Promise<Known> {
    const guarded = this.#fetchOf(issuer);
    const insecure = this.config.isLocal ? [oidc.allowInsecureRequests] : [];
    const configuration = await oidc.discovery(new URL(issuer), clientId, undefined, authentication(clientSecret), {
      timeout: TIMEOUT_SECONDS,
      [oidc.customFetch]: guarded,
      execute: [oidc.enableNonRepudiationChecks, ...insecure],
    });
    const metadata = configuration.serverMetadata();
    const refreshing = new oidc.Configuration(metadata, clientId, undefined, authentication(clientSecret));
    refreshing.timeout = TIMEOUT_SECONDS;
    refreshing[oidc.customFetch] = guarded;
    for (const allow of insecure) allow(refreshing);
    const keys = createRemoteJWKSet(new URL(metadata.jwks_uri ?? issuer), {
      cooldownDuration: ASK_FOR_KEY_EVERY_MS,
      cacheMaxAge: KEYS_FRESH_MS,
      [customFetch]: (url) => guarded(url, { headers: {}, method: 'GET', body: undefined, redirect: 'manual' }),
    });
    const known = { configuration, refreshing, keys, readAt: this.clock.now() };
    this.#known.set(key, known);
    return known;
  }

  /** The rules of W44. An answer that is an excuse is none: what follows would call it a wrong token. */
  #fetchOf(issuer: string): oidc.CustomFetch {
    return async (url, { body, headers, method }) => {
      const bounds = {
        trust: 'operator' as const,
        allowHttp: this.config.isLocal,
        learnedFrom: issuer,
        timeoutMs: TIMEOUT_SECONDS * 1000,
        maxBytes: MAX_BYTES,
        accept: 'application/json',
        headers,
      };
      const contentType = headers['content-type'] ?? 'application/x-www-form-urlencoded;charset=UTF-8';
      const answer = await (method === 'GET'
        ? this.http.get(url, bounds)
        : this.http.post(url, { ...bounds, contentType, body: String(body ?? '') }));
      if (answer.status >= 500 || answer.status === 429) throw new Excused(answer.status);
      const bytes = answer.body.length === 0 ? null : new Uint8Array(answer.body);
      return new Response(bytes, { status: answer.status, headers: answer.headers });
    };
  }
}

/** As the provider's metadata wants it, `client_secret_basic` where it does not say (OpenID Connect Discovery §3). */
function authentication(clientSecret: string | undefined): oidc.ClientAuth {
  if (clientSecret === undefined) return oidc.None();
  const [basic, post] = [oidc.ClientSecretBasic(clientSecret), oidc.ClientSecretPost(clientSecret)];
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return (methods.includes('client_secret_basic') ? basic : post)(server, ...rest);
  };
}
