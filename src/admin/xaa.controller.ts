import { Body, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { Issuances } from '../tokens/issuances.js';
import { SubjectMappings } from '../xaa/subject-mappings.js';
import { XaaPolicies } from '../xaa/xaa-policies.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { QueryParameters } from './query-parameters.js';
import {
  CreateMapping,
  CreatePolicy,
  OfIdp,
  toMappingView,
  toPolicyMembers,
  toPolicyView,
  UpdatePolicy,
} from './xaa.dto.js';

const PolicyId = (): ParameterDecorator => Param('id', new UuidOf('xaa_policy'));
const MappingId = (): ParameterDecorator => Param('id', new UuidOf('subject_mapping'));

/** What assertions are good for, and whom they are about. */
@OperatorController('xaa')
export class XaaController {
  constructor(
    private readonly policies: XaaPolicies,
    private readonly mappings: SubjectMappings,
    private readonly issuances: Issuances,
  ) {}

  @Get('policies')
  async listPolicies(@QueryParameters() { idp_id: idpId }: OfIdp): Promise<object> {
    const policies = (await this.policies.list()).filter((policy) => !idpId || policy.idpId === idpId.toLowerCase());
    return { policies: policies.map(toPolicyView) };
  }

  @Post('policies')
  async createPolicy(@Body() dto: CreatePolicy): Promise<object> {
    const draft = { ...toPolicyMembers(dto), name: dto.name, idpId: dto.idp_id.toLowerCase() };
    return toPolicyView(await this.policies.create(draft));
  }

  @Get('policies/:id')
  async getPolicy(@PolicyId() id: string): Promise<object> {
    return toPolicyView(await this.policies.get(id));
  }

  @Put('policies/:id')
  async updatePolicy(@PolicyId() id: string, @Body() dto: UpdatePolicy): Promise<object> {
    return toPolicyView(await this.policies.update(id, toPolicyMembers(dto)));
  }

  @Delete('policies/:id')
  @HttpCode(204)
  async deletePolicy(@PolicyId() id: string): Promise<void> {
    await this.policies.remove(id);
  }

  @Get('subject-mappings')
  async listMappings(@QueryParameters() { idp_id: idpId }: OfIdp): Promise<object> {
    return { subject_mappings: (await this.mappings.list(idpId?.toLowerCase())).map(toMappingView) };
  }

  @Post('subject-mappings')
  async createMapping(@Body() dto: CreateMapping): Promise<object> {
    const { idp_id: idpId, idp_subject: subject, local_user_id: userId } = dto;
    const draft = { idpId: idpId.toLowerCase(), subject, userId: userId.toLowerCase() };
    return toMappingView(await this.mappings.create(draft));
  }

  @Delete('subject-mappings/:id')
  @HttpCode(204)
  async deleteMapping(@MappingId() id: string): Promise<void> {
    await this.mappings.remove(id, this.issuances.endingTokens);
  }
}
