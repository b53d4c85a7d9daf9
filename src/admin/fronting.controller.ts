import { Body, Delete, Get, HttpCode, Param, Patch, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { FrontingLinks } from '../resources/fronting-links.js';
import { CreateFronting, DryRun, ListFronting, toFrontingView, toScopeMap, UpdateFronting } from './fronting.dto.js';
import { OperatorController } from './operator-controller.js';
import { NameOf } from './path-id.js';
import { QueryParameters } from './query-parameters.js';

const Source = (): ParameterDecorator => Param('source', new NameOf('fronting_link'));
const Target = (): ParameterDecorator => Param('target', new NameOf('fronting_link'));

@OperatorController()
export class FrontingController {
  constructor(private readonly links: FrontingLinks) {}

  @Get('fronting')
  async list(@QueryParameters() { source, target }: ListFronting): Promise<object> {
    const links = (await this.links.list()).filter(
      (link) => (!source || link.sourceSlug === source) && (!target || link.targetSlug === target),
    );
    return { links: links.map(toFrontingView) };
  }

  /** 201, or 200 when nothing was to be stored. */
  @Post('fronting')
  async create(
    @Body() dto: CreateFronting,
    @QueryParameters() query: DryRun,
    @Res({ passthrough: true }) res: Response,
  ): Promise<object> {
    const dryRun = query.dry_run === 'true';
    const draft = { source: dto.source, target: dto.target, scopeMap: toScopeMap(dto) };
    const link = await this.links.create(draft, dryRun);
    if (dryRun) res.status(200);
    return { ...toFrontingView(link), ...(dryRun && { dry_run: true }) };
  }

  @Get('fronting/:source/:target')
  async get(@Source() source: string, @Target() target: string): Promise<object> {
    return toFrontingView(await this.links.get(source, target));
  }

  @Patch('fronting/:source/:target')
  async update(@Source() source: string, @Target() target: string, @Body() dto: UpdateFronting): Promise<object> {
    return toFrontingView(await this.links.setScopeMap(source, target, toScopeMap(dto)));
  }

  @Delete('fronting/:source/:target')
  @HttpCode(204)
  async delete(@Source() source: string, @Target() target: string): Promise<void> {
    await this.links.remove(source, target);
  }

  @Get('resources/:slug/fronting')
  async around(@Param('slug', new NameOf('resource')) slug: string): Promise<object> {
    const { fronts, frontedBy } = await this.links.around(slug);
    return { slug, fronts: fronts.map(toFrontingView), fronted_by: frontedBy.map(toFrontingView) };
  }
}
