import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { uuid7 } from '../platform/uuid7.js';
import { TrustStore } from './trust.store.js';
import type { XaaPolicy } from './trust.js';

export type PolicyMembers = Partial<Omit<XaaPolicy, 'id' | 'idpId' | 'createdAt' | 'updatedAt' | 'expiresAt'>> & {
  /** `null` takes it away. */
  readonly expiresAt?: Date | null;
};

export type PolicyDraft = PolicyMembers & Pick<XaaPolicy, 'name' | 'idpId'>;

export class PolicyNotFound extends Error {}
export class PolicyInvalid extends Error {}

/** Who may have what with whose assertions. Every change ends with a new policy epoch (S6). */
@Injectable()
export class XaaPolicies {
  constructor(
    private readonly store: TrustStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  list(): Promise<XaaPolicy[]> {
    return this.store.policies();
  }

  /** @throws PolicyNotFound */
  async get(id: string): Promise<XaaPolicy> {
    const policy = (await this.store.policies()).find((each) => each.id === id);
    if (!policy) throw new PolicyNotFound();
    return policy;
  }

  /** @throws PolicyInvalid */
  async create({ expiresAt, ...draft }: PolicyDraft): Promise<XaaPolicy> {
    const now = this.clock.now();
    const policy: XaaPolicy = {
      ...EMPTY,
      ...present(draft),
      id: uuid7(now),
      expiresAt: expiresAt ?? undefined,
      createdAt: now,
      updatedAt: now,
    };
    return this.store.transaction((tx) => this.#store(tx, policy, 'xaa.policy_created'));
  }

  /** @throws PolicyNotFound, PolicyInvalid */
  update(id: string, { expiresAt, ...change }: PolicyMembers): Promise<XaaPolicy> {
    return this.store.transaction(async (tx) => {
      const known = await this.store.lockPolicy(tx, id);
      if (!known) throw new PolicyNotFound();
      const policy = {
        ...known,
        ...present(change),
        expiresAt: expiresAt === undefined ? known.expiresAt : (expiresAt ?? undefined),
        updatedAt: this.clock.now(),
      };
      return this.#store(tx, policy, 'xaa.policy_updated');
    });
  }

  /** @throws PolicyNotFound */
  async remove(id: string): Promise<void> {
    await this.store.transaction(async (tx) => {
      const known = await this.store.lockPolicy(tx, id);
      if (!known) throw new PolicyNotFound();
      await this.store.remove(tx, 'xaa_policies', id);
      await bumpPolicyEpoch(tx);
      await this.audit.record(tx, { action: 'xaa.policy_deleted', detail: { id, name: known.name, idp: known.idpId } });
    });
  }

  async #store(tx: Transaction, policy: XaaPolicy, action: string): Promise<XaaPolicy> {
    const idp = await this.store.lockIdp(tx, policy.idpId);
    if (!idp) throw new PolicyInvalid('idp_id is no trusted issuer');
    if (idp.kind === 'workload') requireNarrow(policy);
    await this.store.savePolicy(tx, policy);
    await bumpPolicyEpoch(tx);
    const { id, name, idpId, enabled } = policy;
    await this.audit.record(tx, { action, detail: { id, name, idp: idpId, enabled } });
    return policy;
  }
}

const EMPTY = {
  clientIds: [],
  scopes: [],
  resources: [],
  groups: [],
  conditions: {},
  subjectBy: [],
  enabled: true,
} satisfies Partial<XaaPolicy>;

/** W48: such an issuer speaks for every program of everybody who uses it. */
function requireNarrow({ clientIds, conditions, subjectBy }: XaaPolicy): void {
  if (clientIds.length === 0)
    throw new PolicyInvalid('client_ids must name a client, because the issuer is of workloads');
  if (Object.keys(conditions).length === 0)
    throw new PolicyInvalid('conditions must name a claim, because the issuer is of workloads');
  if (subjectBy.length > 0) throw new PolicyInvalid('subject_by is for issuers of identity assertions');
}

const present = <T extends object>(change: T): T =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as T;
