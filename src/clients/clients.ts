import { Injectable } from '@nestjs/common';
import { newBearerValue, OAuthError, parseScope, usesSecret } from '#libs/oauth';
import { AuditLog, type AuditFact } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { isUrlId, type Client, type ClientMetadata, type ClientStatus, type RegistrationSource } from './client.js';
import {
  ClientDescribedByDocument,
  ClientExists,
  ClientHasNoSecret,
  ClientNotFound,
  ClientRevoked,
} from './client-errors.js';
import {
  documentHash,
  readClientMetadata,
  securityDiffers,
  toWire,
  type MetadataRules,
  type WireMetadata,
} from './client-metadata.js';
import { hashSecret, type StoredSecret } from './client-secret.js';
import { ClientSecretStore } from './client-secret.store.js';
import { ClientStore, type ClientQuery } from './client.store.js';
import type { KeyMembers } from './key-metadata.js';
import { MetadataDocuments } from './metadata-documents.js';
import { replacedBy } from './replaced-registration.js';

export type { Client } from './client.js';
export type { ClientQuery } from './client.store.js';

/** What an operator decides about a client, as opposed to what the client says of itself. null ends a former decision. */
export interface ClientFacts {
  /** The ceiling; empty: none of its own. */
  readonly scope?: string[];
  readonly agentConfirmed?: boolean;
  readonly defaultResource?: string | null;
  readonly accessTokenTtlSeconds?: number | null;
  readonly refreshTokenTtlSeconds?: number | null;
  readonly refreshMaxLifetimeSeconds?: number | null;
}

export interface ClientPage {
  readonly clients: Client[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

/** A secret is readable here and never again. */
export interface ClientWithSecret {
  readonly client: Client;
  readonly secret?: string;
}

const DEFAULT_OVERLAP_SECONDS = 24 * 60 * 60;

/**
 * Every client, whatever it came from. A change is one transaction with its audit row, and a new version, which statements
 * that issue anything compare (S6).
 */
@Injectable()
export class Clients {
  constructor(
    private readonly store: ClientStore,
    private readonly secrets: ClientSecretStore,
    private readonly documents: MetadataDocuments,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** The client of a request that ends in no browser. As `ofRow`, with the row of now. */
  async find(id: string): Promise<Client | undefined> {
    return this.ofRow(id, await this.store.find(id));
  }

  /**
   * The client of a request that ends in no browser, from its row. A URL without a row is nobody: without a consent it has neither code nor token to
   * present, and strangers could keep every outgoing request busy. Of one with a row the document is asked, so that what it takes back is
   * taken back, and written down, so that it stays so on every replica; while its host is away the row, its last good copy, will do (W27).
   *
   * @throws OAuthError `client-authentication-failed` (the document is wrong or gone)
   */
  async ofRow(id: string, row: Client | undefined): Promise<Client | undefined> {
    if (!isUrlId(id)) return row;
    if (!this.config.cimd.enabled) return undefined;
    this.documents.requireAcceptable(id);
    if (row?.status !== 'active') return row;
    try {
      return await this.#learned(row, await this.documents.recent(id));
    } catch (error) {
      if (error instanceof OAuthError && error.symptom === 'try-again') return row;
      throw error;
    }
  }

  /**
   * The client of an authorization request. For a URL the document of today decides on redirects, name and grants; status,
   * ceiling and lifetimes are the row's, if there is one.
   *
   * @throws OAuthError `client-authentication-failed` (the document is wrong), `try-again` (its host is away),
   *   `too-many-requests` (this address had too many documents fetched)
   */
  async forAuthorization(id: string): Promise<Client | undefined> {
    if (!isUrlId(id)) return this.store.find(id);
    if (!this.config.cimd.enabled) return undefined;
    this.documents.requireAcceptable(id);
    const row = await this.store.find(id);
    if (row && row.status !== 'active') return row;
    const document = await this.documents.current(id);
    return row ? this.#merged(row, document) : this.#describedBy(id, document);
  }

  /** What is stored, with nothing fetched: for the operator. */
  stored(id: string): Promise<Client | undefined> {
    return this.store.find(id);
  }

  /**
   * The client that an operator names: the stored one, or what the document of a URL says, for which the last good copy will do
   * while its host is away (W27).
   *
   * @throws OAuthError `try-again` (its host is away)
   */
  async named(id: string): Promise<Client | undefined> {
    return (await this.store.find(id)) ?? this.#described(id);
  }

  async list(query: ClientQuery): Promise<ClientPage> {
    const found = await this.store.list({ ...query, limit: query.limit + 1 });
    const clients = found.slice(0, query.limit);
    return { clients, nextCursor: found.length > clients.length ? clients.at(-1)?.id : undefined };
  }

  /**
   * Registers a client under a new id, with a secret if its method needs one.
   *
   * @param members wire names (RFC 7591 §2), unchecked
   * @param facts.registrationTokenHash of the token that the client manages its registration with
   * @throws OAuthError `client-metadata-refused`, `redirect-refused`
   * @throws ClientExists
   */
  async create(
    members: WireMetadata,
    source: 'admin' | 'dcr',
    facts: ClientFacts & { id?: string; registrationTokenHash?: Buffer } = {},
  ): Promise<ClientWithSecret> {
    const metadata = readClientMetadata(members, this.#rules(source));
    const now = this.clock.now();
    const { id = uuid7(now), registrationTokenHash, ...decided } = facts;
    const client: Client = {
      ...this.#unstored(id, metadata, now),
      scope: source === 'dcr' ? this.#defaultScope() : [],
      registrationSource: source,
      agentConfirmed: source === 'admin' && metadata.agent,
      version: 1,
      stored: true,
      ...givenOf(decided),
    };
    const made = usesSecret(client.tokenEndpointAuthMethod) ? this.#newSecret(now) : undefined;
    await this.store.transaction(async (tx) => {
      if (!(await this.store.insert(tx, client))) throw new ClientExists(id);
      if (made) await this.secrets.add(tx, id, made.stored, now);
      if (registrationTokenHash) await this.store.setRegistrationToken(tx, id, registrationTokenHash);
      await this.audit.record(
        tx,
        source === 'admin'
          ? { action: 'client.created_admin', clientId: id, detail: { name: client.name } }
          : { action: 'client.registered', clientId: id, detail: { source } },
      );
    });
    return { client, secret: made?.secret };
  }

  /**
   * Changes the members given, by wire name, and the facts given; the auth method and agent flags stay.
   *
   * @throws ClientNotFound
   * @throws ClientDescribedByDocument
   * @throws OAuthError `client-metadata-refused`, `redirect-refused`
   */
  async update(id: string, described: ChangeableMetadata, facts: ClientFacts = {}): Promise<Client> {
    const { client_name, redirect_uris, grant_types, jwks, jwks_uri } = described;
    const { token_endpoint_auth_signing_alg, dpop_bound_access_tokens } = described;
    const keys = givenOf({ jwks, jwks_uri });
    const changes = givenOf({
      client_name,
      redirect_uris,
      grant_types,
      token_endpoint_auth_signing_alg,
      dpop_bound_access_tokens,
    });
    return this.#change(id, (client) => {
      const isDescribed = Object.keys({ ...changes, ...keys }).length > 0;
      if (isDescribed && client.registrationSource === 'cimd') throw new ClientDescribedByDocument(id);
      const kept =
        Object.keys(keys).length > 0 ? { ...toWire(client), jwks: undefined, jwks_uri: undefined } : toWire(client);
      const rules = { ...this.#rules('admin'), allowedSchemes: [] };
      const metadata = isDescribed ? readClientMetadata({ ...kept, ...changes, ...keys }, rules) : client;
      return { client: { ...client, ...metadata, ...givenOf(facts) }, fact: { action: 'client.updated' } };
    });
  }

  /**
   * Puts what a client says of itself now in place of what it said before (RFC 7592 §2.2).
   *
   * @throws ClientNotFound
   * @throws OAuthError `client-metadata-refused`, `redirect-refused`
   */
  async replace(id: string, members: WireMetadata): Promise<Client> {
    const rules = this.#rules('dcr');
    return this.#change(id, (client) => ({
      client: replacedBy(members, client, rules),
      fact: { action: 'client.updated', detail: { source: 'dcr' } },
    }));
  }

  /** @throws ClientNotFound @throws ClientRevoked */
  suspend(id: string): Promise<Client> {
    return this.#setStatus(id, 'suspended', 'client.suspended');
  }

  /** Final. @throws ClientNotFound */
  revoke(id: string): Promise<Client> {
    return this.#setStatus(id, 'revoked', 'client.revoked');
  }

  /** @throws ClientNotFound @throws ClientRevoked */
  reactivate(id: string): Promise<Client> {
    return this.#setStatus(id, 'active', 'client.reactivated');
  }

  /** @throws ClientNotFound */
  async delete(id: string, how: { force: boolean } | { source: 'dcr' }): Promise<void> {
    await this.store.transaction(async (tx) => {
      if (!(await this.store.lock(tx, id))) throw new ClientNotFound(id);
      await this.store.remove(tx, id, this.clock.now());
      await this.audit.record(tx, { action: 'client.deleted', clientId: id, detail: how });
    });
  }

  /**
   * A new secret beside the newest one, which works for `overlapSeconds` more (0: it ends at once).
   *
   * @throws ClientNotFound @throws ClientHasNoSecret
   */
  async rotateSecret(
    id: string,
    { overlapSeconds = DEFAULT_OVERLAP_SECONDS } = {},
  ): Promise<Required<ClientWithSecret>> {
    const now = this.clock.now();
    const { secret, stored } = this.#newSecret(now);
    const client = await this.#change(id, async (locked, tx) => {
      if (!usesSecret(locked.tokenEndpointAuthMethod)) throw new ClientHasNoSecret(id);
      await this.secrets.add(tx, id, stored, new Date(now.getTime() + overlapSeconds * 1000));
      return { client: locked, fact: { action: 'client.secret_rotated', detail: { overlap_seconds: overlapSeconds } } };
    });
    return { client, secret };
  }

  /**
   * Stores a client that was only known by its document, because somebody consented to it (P7); of a stored one, stores what
   * its document says by now.
   *
   * @param client as `forAuthorization` gave it
   * @returns its version
   */
  async upsertDocumentClient(tx: Transaction, client: Client): Promise<number> {
    const { version, outcome } = await this.store.upsertDocument(tx, client, this.clock.now());
    const action = outcome === 'inserted' ? 'client.registered' : 'client.updated';
    if (outcome !== 'same') await this.audit.record(tx, { action, clientId: client.id, detail: { source: 'cimd' } });
    return version;
  }

  #setStatus(id: string, status: ClientStatus, action: string): Promise<Client> {
    return this.#change(id, (client) => {
      if (client.status === status) return undefined;
      if (client.status === 'revoked') throw new ClientRevoked(id);
      return { client: { ...client, status }, fact: { action } };
    });
  }

  /** Locks, lets `decide` say what becomes of the client, and writes that; undefined leaves everything as it is. */
  async #change(
    id: string,
    decide: (client: Client, tx: Transaction) => Change | undefined | Promise<Change | undefined>,
  ): Promise<Client> {
    const named = await this.named(id);
    const document = named?.stored === false ? named : undefined;
    return this.store.transaction(async (tx) => {
      // An operator's decision about a client without a row makes the row (P7).
      if (document) await this.upsertDocumentClient(tx, document);
      const before = await this.store.lock(tx, id);
      if (!before) throw new ClientNotFound(id);
      const change = await decide(before, tx);
      if (!change) return before;
      const now = this.clock.now();
      const securityChangedAt = securityDiffers(before, change.client) ? now : before.securityChangedAt;
      const after = await this.store.update(tx, { ...change.client, securityChangedAt, updatedAt: now });
      await this.audit.record(tx, { clientId: id, ...change.fact });
      return after;
    });
  }

  async #described(id: string): Promise<Client | undefined> {
    if (!isUrlId(id) || !this.config.cimd.enabled) return undefined;
    try {
      return this.#describedBy(id, await this.documents.recent(id));
    } catch (error) {
      if (error instanceof OAuthError && error.code === 'invalid_client') return undefined;
      throw error;
    }
  }

  #describedBy(id: string, document: ClientMetadata): Client {
    return {
      ...this.#unstored(id, document, this.clock.now()),
      scope: this.#defaultScope(),
      registrationSource: 'cimd',
    };
  }

  async #learned(row: Client, document: ClientMetadata): Promise<Client> {
    const client = this.#merged(row, document);
    const same = documentHash(row).equals(documentHash(document));
    if (same || !this.documents.isNewsSince(row.id, row.updatedAt)) return client;
    const stored = await this.store.find(row.id);
    // A row that is remembered may have learned it already.
    if (stored && stored.version !== row.version)
      return stored.status === 'active' ? this.#learned(stored, document) : stored;
    return { ...client, version: await this.store.transaction((tx) => this.upsertDocumentClient(tx, client)) };
  }

  #merged(row: Client, document: ClientMetadata): Client {
    return {
      ...row,
      ...document,
      agentConfirmed: row.agentConfirmed && row.agent === document.agent,
      // Any change of a document asks again: its host may have been taken over (W17).
      securityChangedAt: documentHash(row).equals(documentHash(document)) ? row.securityChangedAt : this.clock.now(),
    };
  }

  #unstored(id: string, metadata: ClientMetadata, now: Date): Omit<Client, 'scope' | 'registrationSource'> {
    return {
      id,
      ...metadata,
      status: 'active',
      agentConfirmed: false,
      securityChangedAt: now,
      version: 0,
      stored: false,
      createdAt: now,
      updatedAt: now,
    };
  }

  #rules(source: RegistrationSource): MetadataRules {
    const { cimd, oauth } = this.config;
    const keyUrls = { allowHttp: !cimd.requireHttps, allowPrivate: cimd.allowPrivateAddresses };
    return { source, allowedSchemes: oauth.allowedRedirectSchemes, keyUrls };
  }

  #newSecret(now: Date): { secret: string; stored: StoredSecret } {
    const id = uuid7(now);
    const secret = newBearerValue('cs', id).value;
    return {
      secret,
      stored: { id, ...hashSecret(secret, this.config.clientSecretPepper), createdAt: now, expiresAt: null },
    };
  }

  #defaultScope(): string[] {
    return parseScope(this.config.oauth.defaultClientScope);
  }
}

/** The members an operator may change one by one. `jwks` and `jwks_uri` replace each other; the auth method stays. */
export type ChangeableMetadata = Pick<
  WireMetadata,
  'client_name' | 'redirect_uris' | 'grant_types' | 'dpop_bound_access_tokens' | keyof KeyMembers
>;

interface Change {
  readonly client: Client;
  readonly fact: AuditFact;
}

/** The members that were given. null becomes undefined: spread over a client it ends what was there. */
function givenOf<T extends object>(facts: T): { [K in keyof T]?: Exclude<T[K], null> } {
  const given = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, value ?? undefined])) as {
    [K in keyof T]?: Exclude<T[K], null>;
  };
}
