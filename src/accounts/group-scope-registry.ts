import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import { uuid7 } from '../platform/uuid7.js';
import { GroupScopeStore, type GroupScope } from './group-scope.store.js';
import { SignInProviders } from './sign-in-providers.js';

export interface GroupScopeDraft {
  /** Slugs. */
  readonly provider: string;
  readonly resource: string;
  readonly group: string;
  readonly scopes: readonly string[];
}

export class GroupScopeNotFound extends Error {}
export class GroupScopeInvalid extends Error {}

/** The operator's hand on what groups give. Every change ends with a new policy epoch (S6). */
@Injectable()
export class GroupScopeRegistry {
  constructor(
    private readonly store: GroupScopeStore,
    private readonly providers: SignInProviders,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  list(): Promise<GroupScope[]> {
    return this.store.all();
  }

  /**
   * In the place of what the group gave at the resource before: taken away and given anew, it would not bind anybody in between.
   *
   * @throws GroupScopeInvalid
   */
  async set({
    provider,
    group,
    resource: slug,
    scopes,
  }: GroupScopeDraft): Promise<{ row: GroupScope; isNew: boolean }> {
    if (!(await this.providers.has(provider)))
      throw new GroupScopeInvalid(`provider ${provider} is no sign-in provider`);
    return this.store.transaction(async (tx) => {
      const resource = await this.store.resource(tx, slug);
      if (!resource) throw new GroupScopeInvalid(`resource ${slug} is no resource`);
      const stranger = scopes.find((scope) => !resource.scopes.includes(scope));
      if (stranger !== undefined) throw new GroupScopeInvalid(`scope ${stranger} is not declared by ${slug}`);
      const now = this.clock.now();
      const place = { provider, group, resourceId: resource.id };
      const draft = { ...place, id: uuid7(now), scopes: [...new Set(scopes)], updatedAt: now };
      const { row, former } = await this.store.save(tx, draft);
      const detail = { id: row.id, provider, group, resource: slug, scopes: row.scopes, former };
      await this.audit.record(tx, { action: 'group_scope.set', detail });
      return { row, isNew: former === undefined };
    });
  }

  /** The last one of a provider at a resource frees its people there. @throws GroupScopeNotFound */
  async remove(id: string): Promise<void> {
    await this.store.transaction(async (tx) => {
      const row = await this.store.remove(tx, id);
      if (!row) throw new GroupScopeNotFound();
      const { provider, group, resourceSlug: resource, scopes } = row;
      await this.audit.record(tx, { action: 'group_scope.deleted', detail: { id, provider, group, resource, scopes } });
    });
  }
}
