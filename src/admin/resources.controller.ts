import { Body, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { Providers } from '../broker/providers.js';
import { ResourceFronted, ResourceRegistry } from '../resources/resource-registry.js';
import { toFrontingView } from './fronting.dto.js';
import { readPage, pageOf } from './list.dto.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { invalidRequest, notFound, Problem } from './problem.js';
import { QueryParameters } from './query-parameters.js';
import {
  CreateResource,
  DeleteResource,
  ListResources,
  toChange,
  toDraft,
  toResourceView,
  UpdateResource,
} from './resource.dto.js';

const ResourceId = (): ParameterDecorator => Param('id', new UuidOf('resource'));

@OperatorController('resources')
export class ResourcesController {
  constructor(
    private readonly registry: ResourceRegistry,
    private readonly providers: Providers,
  ) {}

  /** There are few resources, so that all of them are read and the page is cut out here. */
  @Get()
  async list(@QueryParameters() query: ListResources): Promise<object> {
    const { slug, backend_kind: kind, broker_provider: named, cursor = '', offset = 0 } = query;
    const providerId = named && ((await this.providers.bySlug(named))?.id ?? named);
    const all = (await this.registry.list()).filter(
      (resource) =>
        resource.id > cursor &&
        (!slug || resource.slug === slug) &&
        (!kind || resource.backendKind === kind) &&
        (!providerId || resource.brokerProviderId === providerId),
    );
    const { rows, nextCursor } = await readPage(query, async (limit) => all.slice(offset, offset + limit));
    return pageOf('resources', rows.map(toResourceView), nextCursor);
  }

  @Post()
  async create(@Body() dto: CreateResource): Promise<object> {
    return toResourceView(await this.registry.create(toDraft(dto, (await this.#provider(dto)) ?? undefined)));
  }

  @Get(':id')
  async get(@ResourceId() id: string): Promise<object> {
    const resource = (await this.registry.list()).find((candidate) => candidate.id === id);
    if (!resource) throw notFound('resource');
    return toResourceView(resource);
  }

  @Patch(':id')
  async update(@ResourceId() id: string, @Body() dto: UpdateResource): Promise<object> {
    const change = toChange(dto, await this.#provider(dto));
    return toResourceView(await this.registry.patch(id, change).catch(namingDependents));
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@ResourceId() id: string, @QueryParameters() query: DeleteResource): Promise<void> {
    await this.registry.remove(id, { cascade: query.cascade === 'true' }).catch(namingDependents);
  }

  /** By id, slug, or both if they agree. */
  async #provider(dto: CreateResource | UpdateResource): Promise<string | null | undefined> {
    const { broker_provider_id: id, broker_provider_slug: slug } = dto;
    if (slug === undefined) return id;
    const provider = await this.providers.bySlug(slug);
    if (!provider) throw invalidRequest(`broker_provider_slug ${slug} is no provider`);
    if (id !== undefined && id?.toLowerCase() !== provider.id)
      throw invalidRequest('broker_provider_id and broker_provider_slug name different providers');
    return provider.id;
  }
}

function namingDependents(error: unknown): never {
  if (!(error instanceof ResourceFronted)) throw error;
  throw new Problem(409, 'resource_fronted', error.message, { dependents: error.dependents.map(toFrontingView) });
}
