import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';

export interface VerifierOptions {
  /** The URI this server is registered under at the authorization server: the only audience it accepts. */
  readonly resource: string;
  readonly issuer: string;
  /** A confidential client that `policy.runtime.client_ids` of the resource names. Without it a revoked token is good until it expires. */
  readonly introspection?: { readonly clientId: string; readonly clientSecret: string };
  readonly now?: () => Date;
  readonly fetch?: typeof fetch;
}

/** Who calls, and what the person allowed. */
export interface Caller {
  readonly subject: string;
  readonly clientId: string;
  readonly scopes: ReadonlySet<string>;
}

/** The token is of no use here: the client must get another one. Anything else that is thrown is our own trouble. */
export class TokenRefused extends Error {}

interface Discovered {
  readonly keys: JWTVerifyGetKey;
  readonly introspectionEndpoint: string | undefined;
}

/** Accepts what AuthPlane issued for this resource (RFC 9068 §4) and has not taken back (RFC 7662). */
export class TokenVerifier {
  readonly #options: VerifierOptions;
  readonly #fetch: typeof fetch;
  #discovered: Promise<Discovered> | undefined;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? fetch;
  }

  /** @throws {TokenRefused} */
  async verify(token: string): Promise<Caller> {
    const server = await this.#server();
    const claims = await this.#verifySignatureAndClaims(token, server.keys);
    if (this.#options.introspection) await this.#requireActive(token, server.introspectionEndpoint);
    return {
      subject: String(claims.sub),
      clientId: String(claims['client_id']),
      scopes: new Set(
        String(claims['scope'] ?? '')
          .split(' ')
          .filter(Boolean),
      ),
    };
  }

  async #verifySignatureAndClaims(token: string, keys: JWTVerifyGetKey): Promise<JWTPayload> {
    const { issuer, resource, now } = this.#options;
    try {
      const { payload } = await jwtVerify(token, keys, {
        typ: 'at+jwt',
        algorithms: ['ES256', 'RS256', 'EdDSA'],
        issuer,
        audience: resource,
        requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id'],
        currentDate: now?.() ?? new Date(),
      });
      return payload;
    } catch (error) {
      const reason = whyRefused(error);
      if (reason === undefined) throw error;
      throw new TokenRefused(reason, { cause: error });
    }
  }

  async #requireActive(token: string, endpoint: string | undefined): Promise<void> {
    const { clientId = '', clientSecret = '' } = this.#options.introspection ?? {};
    if (endpoint === undefined) throw new Error(`${this.#options.issuer} offers no introspection`);
    const response = await this.#fetch(endpoint, {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
      body: new URLSearchParams({ token }),
      redirect: 'error',
    });
    // Only a clear "no" refuses the token. A server that cannot answer must not cost a person a good one.
    if (!response.ok) throw new Error(`introspection answered ${response.status}`);
    const { active } = (await response.json()) as { active?: unknown };
    if (active !== true) throw new TokenRefused('token has been revoked');
  }

  /** Read once from the issuer's metadata (RFC 8414 §3); a failure is not remembered. */
  #server(): Promise<Discovered> {
    this.#discovered ??= this.#discover().catch((error: unknown) => {
      this.#discovered = undefined;
      throw error;
    });
    return this.#discovered;
  }

  async #discover(): Promise<Discovered> {
    const url = wellKnown('oauth-authorization-server', this.#options.issuer);
    const response = await this.#fetch(url, { redirect: 'error' });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    const metadata = (await response.json()) as { issuer?: string; jwks_uri: string; introspection_endpoint?: string };
    if (metadata.issuer !== this.#options.issuer) throw new Error(`${url} is the metadata of ${metadata.issuer}`);
    const keys = createRemoteJWKSet(new URL(metadata.jwks_uri), { cooldownDuration: 1000, [customFetch]: this.#fetch });
    return { keys, introspectionEndpoint: metadata.introspection_endpoint };
  }
}

/** `/.well-known/{name}` with the path of `uri` behind it (RFC 8414 §3.1, RFC 9728 §3.1). */
export function wellKnown(name: string, uri: string): string {
  const { origin, pathname } = new URL(uri);
  return `${origin}/.well-known/${name}${pathname === '/' ? '' : pathname}`;
}

/** Undefined: not the token's fault, the keys could not be read. */
function whyRefused(error: unknown): string | undefined {
  if (error instanceof errors.JWTExpired) return 'token has expired';
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud')
    return 'token was issued for another resource';
  const faults = [
    errors.JWTClaimValidationFailed,
    errors.JWTInvalid,
    errors.JWSInvalid,
    errors.JWSSignatureVerificationFailed,
    errors.JWKSNoMatchingKey,
    errors.JOSEAlgNotAllowed,
    errors.JOSENotSupported,
  ];
  return faults.some((fault) => error instanceof fault) ? 'token is invalid' : undefined;
}
