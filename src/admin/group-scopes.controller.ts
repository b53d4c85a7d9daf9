import { Body, Delete, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { GroupScopeRegistry } from '../accounts/group-scope-registry.js';
import { ListGroupScopes, SetGroupScope, toGroupScopeView } from './group-scope.dto.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { QueryParameters } from './query-parameters.js';

/** What groups of identity providers give at resources. A group has any characters, so that it stands in bodies and never in a path. */
@OperatorController('group-scopes')
export class GroupScopesController {
  constructor(private readonly groups: GroupScopeRegistry) {}

  @Get()
  async list(@QueryParameters() { provider, resource }: ListGroupScopes): Promise<object> {
    const rows = (await this.groups.list()).filter(
      (row) => (!provider || row.provider === provider) && (!resource || row.resourceSlug === resource),
    );
    return { group_scopes: rows.map(toGroupScopeView) };
  }

  /** 201, or 200 when it takes the place of another. */
  @Post()
  async set(@Body() dto: SetGroupScope, @Res({ passthrough: true }) res: Response): Promise<object> {
    const { row, isNew } = await this.groups.set(dto);
    if (!isNew) res.status(200);
    return toGroupScopeView(row);
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@Param('id', new UuidOf('group_scope')) id: string): Promise<void> {
    await this.groups.remove(id);
  }
}
