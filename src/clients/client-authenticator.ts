import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError, type AuthMethod, type Form } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { Limits, type Limit } from '../platform/ephemeral/limits.js';
import { addressKey } from '../platform/http/address-key.js';
import { requestContext } from '../platform/http/request-context.js';
import { Throughput } from '../platform/http/throughput.js';
import type { Client } from './client.js';
import { failed, readCredentials, type AuthenticationRefusal, type ClientCredentials } from './client-credentials.js';
import { judgeSecret, type SecretVerdict } from './client-secret.js';
import { ClientSecretStore } from './client-secret.store.js';
import { Clients } from './clients.js';

/** W23. Right credentials are never refused by it: a neighbour at the same address cannot lock a client out. */
const FAILED_AUTHENTICATION: Limit = { name: 'client-authentication', points: 10, windowSeconds: 60 };

/** Finds out which client sends a request, and that it is that client (RFC 6749 §2.3). */
@Injectable()
export class ClientAuthenticator {
  constructor(
    private readonly clients: Clients,
    private readonly secrets: ClientSecretStore,
    private readonly limits: Limits,
    private readonly clock: Clock,
    private readonly config: Config,
    private readonly throughput: Throughput,
  ) {}

  /**
   * @param form the parameters of the request; `client_id`, `client_secret` may be among them
   * @throws OAuthError `client-authentication-failed` with the exact private reason and one public text; `too-many-requests`
   *   after ten failures in a minute; `invalid_request` when the credentials cannot be read
   */
  async authenticate(req: Request, form: Form): Promise<Client> {
    let client: Client | undefined;
    try {
      const credentials = readCredentials(req, form);
      // Read for unknown clients too: a stranger must not learn from the time it takes which ids exist.
      const [found, verdict] = await Promise.all([this.clients.find(credentials.id), this.#verdictOn(credentials)]);
      client = found;
      const reason = refusalOf(client, credentials.method, verdict);
      if (client && !reason) {
        await this.throughput.admit(client.id);
        return client;
      }
      throw failed(reason ?? 'client_unknown', credentials.id);
    } catch (error) {
      if (error instanceof OAuthError && error.code === 'invalid_client') await this.#count(error, client);
      throw error;
    }
  }

  async #verdictOn(credentials: ClientCredentials): Promise<SecretVerdict> {
    if (credentials.method === 'none') return 'right';
    const stored = await this.secrets.ofClient(credentials.id);
    return judgeSecret(credentials.secret, stored, this.config.clientSecretPepper, this.clock.now());
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
  method: AuthMethod,
  verdict: SecretVerdict,
): AuthenticationRefusal | undefined {
  if (!client) return 'client_unknown';
  if (client.tokenEndpointAuthMethod !== method)
    return method === 'none' ? 'credentials_missing' : 'auth_method_mismatch';
  if (verdict !== 'right') return verdict;
  if (client.status === 'suspended') return 'client_suspended';
  return client.status === 'revoked' ? 'client_revoked' : undefined;
}
