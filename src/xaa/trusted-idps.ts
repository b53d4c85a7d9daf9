import { Injectable } from '@nestjs/common';
import { isPlainText } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { FetchRefused } from '../platform/http-client/fetch-errors.js';
import { outgoingUrl } from '../platform/http-client/outgoing-url.js';
import type { Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { uuid7 } from '../platform/uuid7.js';
import { IdpKeySets } from './idp-key-sets.js';
import { TrustStore } from './trust.store.js';
import type { TrustedIdp } from './trust.js';

export interface IdpDraft {
  readonly name: string;
  readonly issuer: string;
  readonly kind?: TrustedIdp['kind'];
  readonly jwksUri?: string;
  readonly audience?: string;
  readonly replay?: TrustedIdp['replay'];
}

/** An absent member stays as it is, `null` takes the value away. */
export interface IdpChange {
  readonly name?: string;
  readonly jwksUri?: string | null;
  readonly audience?: string | null;
  readonly enabled?: boolean;
  readonly replay?: TrustedIdp['replay'];
}

export class IdpNotFound extends Error {}
export class IdpInvalid extends Error {}
/** Another one has this issuer. */
export class IdpTaken extends Error {
  constructor() {
    super('another trusted issuer has this issuer');
  }
}

/** The issuers that operators trust. Every change ends with a new policy epoch (S6). */
@Injectable()
export class TrustedIdps {
  constructor(
    private readonly store: TrustStore,
    private readonly keySets: IdpKeySets,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  list(): Promise<TrustedIdp[]> {
    return this.store.idps();
  }

  /** @throws IdpNotFound */
  async get(id: string): Promise<TrustedIdp> {
    const idp = (await this.store.idps()).find((each) => each.id === id);
    if (!idp) throw new IdpNotFound();
    return idp;
  }

  /** @throws IdpInvalid, IdpTaken */
  async create({ kind = 'id_jag', ...draft }: IdpDraft): Promise<TrustedIdp> {
    const now = this.clock.now();
    const replay = draft.replay ?? (kind === 'id_jag' ? 'single_use' : 'reusable_until_exp');
    const idp = {
      ...draft,
      id: uuid7(now),
      kind,
      replay,
      enabled: true,
      keysFrom: now,
      createdAt: now,
      updatedAt: now,
    };
    return this.store.transaction((tx) => this.#store(tx, idp, 'xaa.idp_created'));
  }

  /** @throws IdpNotFound, IdpInvalid */
  update(id: string, { jwksUri, audience, ...change }: IdpChange): Promise<TrustedIdp> {
    return this.store.transaction(async (tx) => {
      const known = await this.#lock(tx, id);
      const idp = {
        ...known,
        name: change.name ?? known.name,
        enabled: change.enabled ?? known.enabled,
        replay: change.replay ?? known.replay,
        jwksUri: jwksUri === undefined ? known.jwksUri : (jwksUri ?? undefined),
        audience: audience === undefined ? known.audience : (audience ?? undefined),
        updatedAt: this.clock.now(),
      };
      return this.#store(tx, idp, 'xaa.idp_updated');
    });
  }

  /** With its policies. Who its subjects are stays. @throws IdpNotFound */
  async remove(id: string): Promise<void> {
    await this.store.transaction(async (tx) => {
      const { issuer, name } = await this.#lock(tx, id);
      await this.store.remove(tx, 'trusted_idps', id);
      await bumpPolicyEpoch(tx);
      await this.audit.record(tx, { action: 'xaa.idp_deleted', detail: { id, name, issuer } });
    });
  }

  /** Keys that were fetched before count no more, in any replica. @throws IdpNotFound */
  async refreshKeys(id: string): Promise<{ readonly kids: readonly string[]; readonly problem?: string }> {
    const idp = await this.store.transaction(async (tx) => {
      const known = await this.#lock(tx, id);
      return this.#store(tx, { ...known, keysFrom: this.clock.now() }, 'xaa.idp_keys_refreshed');
    });
    return this.keySets.refresh(idp);
  }

  async #lock(tx: Transaction, id: string): Promise<TrustedIdp> {
    const known = await this.store.lockIdp(tx, id);
    if (!known) throw new IdpNotFound();
    return known;
  }

  async #store(tx: Transaction, idp: TrustedIdp, action: string): Promise<TrustedIdp> {
    const problem = this.#problemOf(idp);
    if (problem !== undefined) throw new IdpInvalid(problem);
    if (!(await this.store.saveIdp(tx, idp))) throw new IdpTaken();
    await bumpPolicyEpoch(tx);
    const { id, name, issuer, kind, enabled, replay } = idp;
    await this.audit.record(tx, { action, detail: { id, name, issuer, kind, enabled, replay } });
    return idp;
  }

  #problemOf({ issuer, kind, jwksUri, audience }: TrustedIdp): string | undefined {
    const rules = { trust: 'operator', allowHttp: this.config.isLocal } as const;
    const isUrl = (text: string): boolean => {
      try {
        return outgoingUrl(text, rules).url.search === '';
      } catch (error) {
        if (error instanceof FetchRefused) return false;
        throw error;
      }
    };
    if (issuer.length > 200 || !isUrl(issuer))
      return 'issuer must be an https URL without query and fragment, of at most 200 characters';
    if (issuer.replace(/\/$/, '') === this.config.server.issuer) return 'issuer must not be this server';
    if (jwksUri !== undefined && !isUrl(jwksUri)) return 'jwks_uri must be an https URL without query and fragment';
    if (audience !== undefined && (audience === '' || !isPlainText(audience))) return 'audience must be a text';
    if (kind === 'workload' && audience !== undefined) return 'audience of a workload issuer is always our issuer';
    return undefined;
  }
}
