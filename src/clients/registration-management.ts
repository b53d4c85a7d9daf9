import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { newBearerValue, OAuthError, readBearerValue, sameBytes, type ReasonOf } from '#libs/oauth';
import { Config } from '../config/config.js';
import { authorizationOf } from './client-credentials.js';
import { ClientNotFound } from './client-errors.js';
import { ClientSecrets } from './client-secrets.js';
import { ClientStore } from './client.store.js';
import { Clients, type Client } from './clients.js';
import { metadataRefused } from './metadata-refused.js';
import { membersOf, Registration, type WireRegistration } from './registration.js';

/** RFC 7592 §2.2: what the server decides must not stand in an update. */
const SERVERS_OWN = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
] as const;

/** Compared with when there is no client, so that it takes as long. */
const NOBODYS = newBearerValue('rg', '00000000-0000-7000-8000-000000000000').hash;

/** A client, and the token that was presented for it: nobody else has it to give back (RFC 7592 §3). */
export interface ManagedClient {
  readonly client: Client;
  readonly registrationToken: string;
}

/** Clients that registered themselves read, change and delete what they registered (RFC 7592). */
@Injectable()
export class RegistrationManagement {
  constructor(
    private readonly clients: Clients,
    private readonly store: ClientStore,
    private readonly secrets: ClientSecrets,
    private readonly registration: Registration,
    private readonly config: Config,
  ) {}

  /**
   * Whose registration a request is about.
   *
   * @param id as it stands in the path
   * @throws OAuthError `registration-token-refused`, the same whether the client exists or not; `too-many-requests`;
   *   `not-found` when `dcr.management` is false
   */
  async managed(req: Request, id: string): Promise<ManagedClient> {
    if (!this.config.dcr.management) throw new OAuthError('not-found', 'not_found');
    await this.registration.takeTurn();
    const [, token] = /^Bearer +(\S+)$/i.exec(authorizationOf(req) ?? '') ?? [];
    if (token === undefined) throw refused('registration_token_missing');
    const presented = readBearerValue('rg', token);
    if (!presented || presented.id !== id) throw refused('registration_token_wrong');
    const stored = await this.store.registrationTokenHash(presented.id);
    const right = sameBytes(presented.hash, stored ?? NOBODYS);
    const client = right ? await this.store.find(presented.id) : undefined;
    if (!client) throw refused('registration_token_wrong', id);
    if (client.status !== 'active') throw refused(`client_${client.status}`, id);
    return { client, registrationToken: token };
  }

  /**
   * Replaces everything the client said of itself; what operators decided stays.
   *
   * @param body parsed JSON, unchecked
   * @throws OAuthError `registration-closed`, `client-metadata-refused`, `redirect-refused`, `body-unreadable`
   */
  async replace({ client, registrationToken }: ManagedClient, body: unknown): Promise<ManagedClient> {
    const members = membersOf(body);
    await this.registration.requireAllowed(members);
    await this.#requireOwnMembers(client, members);
    try {
      return { client: await this.clients.replace(client.id, members), registrationToken };
    } catch (error) {
      throw error instanceof ClientNotFound ? refused('registration_token_wrong', client.id) : error;
    }
  }

  async delete({ client }: ManagedClient): Promise<void> {
    try {
      await this.clients.delete(client.id, { source: 'dcr' });
    } catch (error) {
      throw error instanceof ClientNotFound ? refused('registration_token_wrong', client.id) : error;
    }
  }

  async #requireOwnMembers({ id }: Client, members: WireRegistration): Promise<void> {
    if (members.client_id !== id) throw metadataRefused('client_id must be that of the registration');
    const foreign = SERVERS_OWN.find((name) => members[name] !== undefined);
    if (foreign) throw metadataRefused(`${foreign} must not be there`);
    const { client_secret: secret } = members;
    if (secret === undefined || secret === null) return;
    const right = typeof secret === 'string' && (await this.secrets.judge(id, secret)) === 'right';
    if (!right) throw metadataRefused('client_secret must be the present one, or absent');
  }
}

function refused(reason: ReasonOf<'registration-token-refused'>, clientId?: string): OAuthError {
  const error = reason === 'registration_token_missing' ? '' : ', error="invalid_token"';
  return new OAuthError('registration-token-refused', reason, {
    headers: { 'WWW-Authenticate': `Bearer realm="authserver"${error}` },
    facts: clientId === undefined ? {} : { clientId },
  });
}
