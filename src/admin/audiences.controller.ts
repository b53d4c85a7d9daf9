import { Body, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { Audiences } from '../xaa/audiences.js';
import {
  CreateAudience,
  OfClient,
  toAudienceChange,
  toAudienceDraft,
  toAudienceView,
  UpdateAudience,
} from './audience.dto.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { QueryParameters } from './query-parameters.js';

const AudienceId = (): ParameterDecorator => Param('id', new UuidOf('xaa_audience'));

/** For which other authorization servers our clients may have identity assertions. */
@OperatorController('xaa/audiences')
export class AudiencesController {
  constructor(private readonly audiences: Audiences) {}

  @Get()
  async list(@QueryParameters() { client_id: clientId }: OfClient): Promise<object> {
    const rows = (await this.audiences.list()).filter((row) => clientId === undefined || row.clientId === clientId);
    return { audiences: rows.map(toAudienceView) };
  }

  @Post()
  async create(@Body() dto: CreateAudience): Promise<object> {
    return toAudienceView(await this.audiences.create(toAudienceDraft(dto)));
  }

  @Get(':id')
  async get(@AudienceId() id: string): Promise<object> {
    return toAudienceView(await this.audiences.get(id));
  }

  @Put(':id')
  async update(@AudienceId() id: string, @Body() dto: UpdateAudience): Promise<object> {
    return toAudienceView(await this.audiences.update(id, toAudienceChange(dto)));
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@AudienceId() id: string): Promise<void> {
    await this.audiences.remove(id);
  }
}
