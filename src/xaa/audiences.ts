import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { uuid7 } from '../platform/uuid7.js';
import { isResourceUri } from '#libs/oauth';
import { AudienceStore } from './audience.store.js';
import type { Audience } from './audience.js';

export type AudienceDraft = Pick<Audience, 'audience' | 'clientId' | 'audienceClientId' | 'resources' | 'scopes'> &
  Partial<Pick<Audience, 'includeEmail'>>;

/** An absent member stays as it is. */
export type AudienceChange = Partial<
  Pick<Audience, 'audienceClientId' | 'resources' | 'scopes' | 'includeEmail' | 'enabled'>
>;

export class AudienceNotFound extends Error {}
export class AudienceInvalid extends Error {}
/** The client has another row for it. */
export class AudienceTaken extends Error {
  constructor() {
    super('this client has this audience already');
  }
}

/** For whom our clients may have identity assertions. Every change ends with a new policy epoch (S6). */
@Injectable()
export class Audiences {
  constructor(
    private readonly store: AudienceStore,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  list(): Promise<Audience[]> {
    return this.store.all();
  }

  /** As of now. @param audience byte for byte */
  of(clientId: string, audience: string): Promise<Audience | undefined> {
    return this.store.of(clientId, audience);
  }

  /** @throws AudienceNotFound */
  async get(id: string): Promise<Audience> {
    const row = await this.store.find(id);
    if (!row) throw new AudienceNotFound();
    return row;
  }

  /** @throws AudienceInvalid, AudienceTaken */
  create({ includeEmail = false, ...draft }: AudienceDraft): Promise<Audience> {
    const now = this.clock.now();
    const row = { ...draft, includeEmail, id: uuid7(now), enabled: true, createdAt: now, updatedAt: now };
    return this.store.transaction((tx) => this.#store(tx, row, 'xaa.audience_created'));
  }

  /** @throws AudienceNotFound, AudienceInvalid */
  update(id: string, change: AudienceChange): Promise<Audience> {
    return this.store.transaction(async (tx) => {
      const known = await this.#lock(tx, id);
      const row = {
        ...known,
        audienceClientId: change.audienceClientId ?? known.audienceClientId,
        resources: change.resources ?? known.resources,
        scopes: change.scopes ?? known.scopes,
        includeEmail: change.includeEmail ?? known.includeEmail,
        enabled: change.enabled ?? known.enabled,
        updatedAt: this.clock.now(),
      };
      return this.#store(tx, row, 'xaa.audience_updated');
    });
  }

  /** @throws AudienceNotFound */
  async remove(id: string): Promise<void> {
    await this.store.transaction(async (tx) => {
      const { audience, clientId } = await this.#lock(tx, id);
      await this.store.remove(tx, id);
      await bumpPolicyEpoch(tx);
      await this.audit.record(tx, { action: 'xaa.audience_deleted', clientId, detail: { id, audience } });
    });
  }

  async #lock(tx: Transaction, id: string): Promise<Audience> {
    const known = await this.store.lock(tx, id);
    if (!known) throw new AudienceNotFound();
    return known;
  }

  async #store(tx: Transaction, row: Audience, action: string): Promise<Audience> {
    const problem = this.#problemOf(row);
    if (problem !== undefined) throw new AudienceInvalid(problem);
    if (!(await this.store.save(tx, row))) throw new AudienceTaken();
    await bumpPolicyEpoch(tx);
    const { id, audience, clientId, audienceClientId, resources, scopes, includeEmail, enabled } = row;
    const detail = {
      id,
      audience,
      audience_client: audienceClientId,
      resources,
      scopes,
      include_email: includeEmail,
      enabled,
    };
    await this.audit.record(tx, { action, clientId, detail });
    return row;
  }

  #problemOf({ audience, resources }: Audience): string | undefined {
    // An assertion to ourselves would let a client leave its own consents.
    if (audience.replace(/\/$/, '') === this.config.server.issuer) return 'audience must not be this server';
    if (!resources.every(isResourceUri)) return 'resources must be absolute URIs without fragment';
    return undefined;
  }
}
