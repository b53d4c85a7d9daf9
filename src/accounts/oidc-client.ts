import { Injectable, Logger } from '@nestjs/common';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import * as oidc from 'openid-client';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { FetchFailed } from '../platform/http-client/fetch-errors.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import { KeptDocuments } from '../platform/http-client/kept-documents.js';
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
/** How long the last keys do while their host is away. */
const KEYS_LAST_RESORT_MS = 60 * 60 * 1000;

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
  readonly reloadKeys: () => Promise<void>;
  readonly readAt: Date;
}

/**
 * This server as a client of identity providers: what `openid-client` needs to know of each, read once an hour. Its keys are
 * remembered with it and asked for again when a token names another one, once a minute at most. Both are kept for all replicas, and for
 * those that start while a provider's host is away.
 */
@Injectable()
export class OidcClient {
  readonly #log = new Logger(OidcClient.name);
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<Known>>();

  constructor(
    private readonly http: GuardedFetch,
    private readonly kept: KeptDocuments,
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

  /** Reads a provider's document and keys anew, before anybody needs them. @throws as `of` */
  async renew(provider: IdentityProvider): Promise<void> {
    await (await this.#shared(keyOf(provider), provider)).reloadKeys();
  }

  async #recall(provider: IdentityProvider): Promise<Known> {
    const key = keyOf(provider);
    const known = this.#known.get(key);
    const age = known ? this.clock.now().getTime() - known.readAt.getTime() : Infinity;
    const fresh = known && age < FRESH_MS;
    (fresh ? jwksCacheHits : jwksCacheMisses).inc();
    if (fresh) return known;
    try {
      return await this.#shared(key, provider);
    } catch (error) {
      const last = known && age < LAST_RESORT_MS ? known : await this.#fromKept(key, provider);
      if (!last) throw error;
      this.#log.warn({ message: 'identity provider not read again', provider: provider.slug, error: String(error) });
      return last;
    }
  }

  #shared(key: string, provider: IdentityProvider): Promise<Known> {
    const asking = this.#asking.get(key);
    if (asking) return asking;
    const asked = this.#discover(key, provider).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #discover(key: string, provider: IdentityProvider): Promise<Known> {
    const { issuer, clientId, clientSecret } = provider;
    const insecure = this.config.isLocal ? [oidc.allowInsecureRequests] : [];
    const configuration = await oidc.discovery(new URL(issuer), clientId, undefined, authentication(clientSecret), {
      timeout: TIMEOUT_SECONDS,
      [oidc.customFetch]: this.#fetchOf(issuer),
      execute: [oidc.enableNonRepudiationChecks, ...insecure],
    });
    const readAt = this.clock.now();
    const metadata = configuration.serverMetadata();
    await this.kept.keep(documentOf(issuer), metadata, readAt);
    return this.#remember(key, provider, { configuration, metadata, readAt });
  }

  /** What some replica read of a provider whose host is away. */
  async #fromKept(key: string, provider: IdentityProvider): Promise<Known | undefined> {
    const kept = await this.kept.find(documentOf(provider.issuer));
    if (!kept || this.clock.now().getTime() - kept.fetchedAt.getTime() >= LAST_RESORT_MS) return undefined;
    const metadata = JSON.parse(kept.body) as oidc.ServerMetadata;
    if (metadata.issuer !== provider.issuer) return undefined;
    const configuration = this.#configurationOf(provider, metadata);
    oidc.enableNonRepudiationChecks(configuration);
    return this.#remember(key, provider, { configuration, metadata, readAt: kept.fetchedAt });
  }

  #remember(
    key: string,
    provider: IdentityProvider,
    read: Pick<Known, 'configuration' | 'readAt'> & { readonly metadata: oidc.ServerMetadata },
  ): Known {
    const { configuration, readAt, metadata } = read;
    const refreshing = this.#configurationOf(provider, metadata);
    const known = {
      configuration,
      refreshing,
      readAt,
      ...this.#keysAt(metadata.jwks_uri ?? provider.issuer, provider),
    };
    this.#known.set(key, known);
    return known;
  }

  #configurationOf(
    { issuer, clientId, clientSecret }: IdentityProvider,
    metadata: oidc.ServerMetadata,
  ): oidc.Configuration {
    const configuration = new oidc.Configuration(metadata, clientId, undefined, authentication(clientSecret));
    configuration.timeout = TIMEOUT_SECONDS;
    configuration[oidc.customFetch] = this.#fetchOf(issuer);
    if (this.config.isLocal) oidc.allowInsecureRequests(configuration);
    return configuration;
  }

  #keysAt(url: string, { issuer }: IdentityProvider): Pick<Known, 'keys' | 'reloadKeys'> {
    const guarded = this.#fetchOf(issuer);
    const remote = createRemoteJWKSet(new URL(url), {
      cooldownDuration: ASK_FOR_KEY_EVERY_MS,
      cacheMaxAge: KEYS_FRESH_MS,
      [customFetch]: async () => {
        const answer = await guarded(url, { headers: {}, method: 'GET', body: undefined, redirect: 'manual' });
        if (answer.status === 200) await this.kept.keep(url, await keySetIn(answer.clone()), this.clock.now());
        return answer;
      },
    });
    const keys: JWTVerifyGetKey = (header, token) =>
      remote(header, token).catch(async (error: unknown) => {
        if (SAID_BY_THE_KEYS.some((kind) => error instanceof kind)) throw error;
        const kept = await this.kept.find(url);
        if (!kept || this.clock.now().getTime() - kept.fetchedAt.getTime() >= KEYS_LAST_RESORT_MS) throw error;
        return createLocalJWKSet(JSON.parse(kept.body))(header, token).catch((problem: unknown) => {
          // A key that is not among old ones may be a new one: nobody knows.
          throw problem instanceof errors.JWKSNoMatchingKey ? error : problem;
        });
      });
    return { keys, reloadKeys: () => remote.reload() };
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

const keyOf = ({ issuer, clientId, clientSecret }: IdentityProvider): string =>
  JSON.stringify([issuer, clientId, clientSecret]);

const documentOf = (issuer: string): string => `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;

/** A host in maintenance may say so with 200: only keys take the place of the last ones. */
async function keySetIn(answer: Response): Promise<JSONWebKeySet> {
  try {
    const keySet = (await answer.json()) as JSONWebKeySet;
    createLocalJWKSet(keySet);
    return keySet;
  } catch {
    throw new Excused(answer.status);
  }
}

/** The keys are there, and say no. */
const SAID_BY_THE_KEYS = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/** As the provider's metadata wants it, `client_secret_basic` where it does not say (OpenID Connect Discovery §3). */
function authentication(clientSecret: string | undefined): oidc.ClientAuth {
  if (clientSecret === undefined) return oidc.None();
  const [basic, post] = [oidc.ClientSecretBasic(clientSecret), oidc.ClientSecretPost(clientSecret)];
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return (methods.includes('client_secret_basic') ? basic : post)(server, ...rest);
  };
}
