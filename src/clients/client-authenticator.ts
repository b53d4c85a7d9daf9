import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import type { VerifiedAssertion } from '#libs/jwt';
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
import { KnownClients, type KnownClient } from './known-clients.js';

/** W23. Right credentials are never refused by it: a neighbour at the same address cannot lock a client out. */
const FAILED_AUTHENTICATION: Limit = { name: 'client-authentication', points: 10, windowSeconds: 60 };

/**
 * `now`: from the database. `remembered`: as it was when it was last read, for whoever verifies its version before anything follows from
 * it (S6).
 */
export type Reading = 'now' | 'remembered';

/** Finds out which client sends a request, and that it is that client (RFC 6749 §2.3). */
@Injectable()
export class ClientAuthenticator {
  /** Requests that were counted, and whose assertion was claimed, however often they are decided. */
  readonly #admitted = new WeakSet<Request>();

  constructor(
    private readonly known: KnownClients,
    private readonly clients: Clients,
    private readonly secrets: ClientSecrets,
    private readonly assertions: ClientAssertions,
    private readonly limits: Limits,
    private readonly throughput: Throughput,
  ) {}

  /**
   * What is remembered can only let a client through: a refusal is always one of now.
   *
   * @param form the parameters of the request; `client_id`, `client_secret` may be among them
   * @throws OAuthError `client-authentication-failed` with the exact private reason and one public text; `too-many-requests`
   *   after ten failures in a minute; `invalid_request` when the credentials cannot be read; `try-again` when the host of a client's
   *   keys is away
   */
  async authenticate(req: Request, form: Form, reading: Reading = 'now'): Promise<Client> {
    let known = NOBODY;
    try {
      const credentials = readCredentials(req, form);
      if (reading === 'remembered') known = this.known.recall(credentials.id) ?? NOBODY;
      let proven = await this.#prove(credentials, known).catch(undefinedIfRefused);
      if (!proven) {
        known = await this.known.read(credentials.id);
        proven = await this.#prove(credentials, known);
      }
      await this.#admit(req, proven);
      return proven.client;
    } catch (error) {
      if (error instanceof OAuthError && error.code === 'invalid_client') await this.#count(error, known.row);
      throw error;
    }
  }

  /** The secret is compared whether the client is there or not: the time it takes tells nothing. */
  async #prove(credentials: ClientCredentials, { row, secrets }: KnownClient): Promise<Proven> {
    const verdict = 'secret' in credentials ? this.secrets.compare(credentials.secret, secrets) : 'right';
    const client = await this.clients.ofRow(credentials.id, row);
    const reason = refusalOf(client, credentials, verdict);
    if (!client || reason) throw failed(reason ?? 'client_unknown', credentials.id);
    if (credentials.method !== 'private_key_jwt') return { client };
    return { client, assertion: await this.assertions.verify(client, credentials.assertion) };
  }

  async #admit(req: Request, { client, assertion }: Proven): Promise<void> {
    if (this.#admitted.has(req)) return;
    if (assertion) await this.assertions.claim(client, assertion);
    await this.throughput.admit(client.id);
    this.#admitted.add(req);
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

const NOBODY: KnownClient = { row: undefined, secrets: [] };

/** A client, and the assertion that it proved itself with, if it was one. */
interface Proven {
  readonly client: Client;
  readonly assertion?: VerifiedAssertion;
}

function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof OAuthError && error.code === 'invalid_client') return undefined;
  throw error;
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
