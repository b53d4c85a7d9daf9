import { Injectable, Logger } from '@nestjs/common';
import * as oidc from 'openid-client';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { FetchFailed } from '../platform/http-client/fetch-errors.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import type { IdentityProvider } from './identity-provider.js';

const TIMEOUT_SECONDS = 5;
const MAX_BYTES = 64 * 1024;
const FRESH_MS = 60 * 60 * 1000;
/** How long a discovery document does while its host is away. */
const LAST_RESORT_MS = 24 * 60 * 60 * 1000;

interface Known {
  readonly configuration: oidc.Configuration;
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
  readonly #asking = new Map<string, Promise<oidc.Configuration>>();

  constructor(
    private readonly http: GuardedFetch,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** @throws what `openid-client` throws */
  async of(provider: IdentityProvider): Promise<oidc.Configuration> {
    const key = JSON.stringify([provider.issuer, provider.clientId, provider.clientSecret]);
    const known = this.#known.get(key);
    const age = known ? this.clock.now().getTime() - known.readAt.getTime() : Infinity;
    if (known && age < FRESH_MS) return known.configuration;
    try {
      return await this.#shared(key, provider);
    } catch (error) {
      if (!known || age >= LAST_RESORT_MS) throw error;
      this.#log.warn({ message: 'identity provider not read again', provider: provider.slug, error: String(error) });
      return known.configuration;
    }
  }

  #shared(key: string, provider: IdentityProvider): Promise<oidc.Configuration> {
    const asking = this.#asking.get(key);
    if (asking) return asking;
    const asked = this.#discover(key, provider).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #discover(key: string, { issuer, clientId, clientSecret }: IdentityProvider): Promise<oidc.Configuration> {
    const configuration = await oidc.discovery(new URL(issuer), clientId, undefined, authentication(clientSecret), {
      timeout: TIMEOUT_SECONDS,
      [oidc.customFetch]: this.#fetchOf(issuer),
      execute: [oidc.enableNonRepudiationChecks, ...(this.config.isLocal ? [oidc.allowInsecureRequests] : [])],
    });
    this.#known.set(key, { configuration, readAt: this.clock.now() });
    return configuration;
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
      if (answer.status >= 500 || answer.status === 429) throw new FetchFailed('connect');
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
