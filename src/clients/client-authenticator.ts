import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError, type Form } from '#libs/oauth';
import { Limits, type Limit } from '../platform/ephemeral/limits.js';
import { addressKey } from '../platform/http/address-key.js';
import { requestContext } from '../platform/http/request-context.js';
import { Throughput } from '../platform/http/throughput.js';
import type { Client } from './client.js';
import { ClientAssertions } from './client-assertions.js';
import { failed, readCredentials, type AuthenticationRefusal, type ClientCredentials } from './client-credentials.js';
import { ClientSecrets, type SecretVerdict } from './client-secrets.js';
import { Clients } from './clients.js';

/** W23. Right credentials are never refused by it: a neighbour at the same address cannot lock a client out. */
const FAILED_AUTHENTICATION: Limit = { name: 'client-authentication', points: 10, windowSeconds: 60 };

/** Finds out which client sends a request, and that it is that client (RFC 6749 §2.3). */
@Injectable()
export class ClientAuthenticator {
  /** Requests whose assertion counted already: one that is decided again does not present it again. */
  readonly #asserted = new WeakSet<Request>();

  constructor(
    private readonly clients: Clients,
    private readonly secrets: ClientSecrets,
    private readonly assertions: ClientAssertions,
    private readonly limits: Limits,
    private readonly throughput: Throughput,
  ) {}

  /**
   * @param form the parameters of the request; `client_id`, `client_secret` may be among them
   * @throws OAuthError `client-authentication-failed` with the exact private reason and one public text; `too-many-requests`
   *   after ten failures in a minute; `invalid_request` when the credentials cannot be read; `try-again` when the host of a client's
   *   keys is away
   */
  async authenticate(req: Request, form: Form): Promise<Client> {
    let client: Client | undefined;
    try {
      const credentials = readCredentials(req, form);
      // Read for unknown clients too: a stranger must not learn from the time it takes which ids exist.
      const [found, verdict] = await Promise.all([this.clients.find(credentials.id), this.#verdictOn(credentials)]);
      client = found;
      const reason = refusalOf(client, credentials, verdict);
      if (client && !reason) {
        if (credentials.method === 'private_key_jwt' && !this.#asserted.has(req)) {
          await this.assertions.verify(client, credentials.assertion);
          this.#asserted.add(req);
        }
        await this.throughput.admit(client.id);
        return client;
      }
      throw failed(reason ?? 'client_unknown', credentials.id);
    } catch (error) {
      if (error instanceof OAuthError && error.code === 'invalid_client') await this.#count(error, client);
      throw error;
    }
  }

  /** Of what can be judged without knowing the client. */
  async #verdictOn(credentials: ClientCredentials): Promise<SecretVerdict> {
    return 'secret' in credentials ? this.secrets.judge(credentials.id, credentials.secret) : 'right';
  }

  /** An id is the sender's choice, so that only one that exists may stand in the key. */
  async #count(refusal: OAuthError, client: Client | undefined): Promise<void> {
    const address = addressKey(requestContext()?.ip ?? '');
    const { allowed, retryAfterSeconds } = await this.limits.take(
      FAILED_AUTHENTICATION,
      client ? `${client.id} ${address}` : address,
    );
    if (allowed) return;
    throw new OAuthError('too-many-requests', 'rate_limited', {
      headers: { 'Retry-After': String(retryAfterSeconds) },
      facts: refusal.facts,
      cause: refusal,
    });
  }
}

/** The secret is judged before the status: only who knows it learns, from the operator, that the client was suspended. */
function refusalOf(
  client: Client | undefined,
  { method }: ClientCredentials,
  verdict: SecretVerdict,
): AuthenticationRefusal | undefined {
  if (!client) return 'client_unknown';
  if (client.tokenEndpointAuthMethod !== method)
    return method === 'none' ? 'credentials_missing' : 'auth_method_mismatch';
  if (verdict !== 'right') return verdict;
  if (client.status === 'suspended') return 'client_suspended';
  return client.status === 'revoked' ? 'client_revoked' : undefined;
}
