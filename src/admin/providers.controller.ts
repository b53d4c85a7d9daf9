import { Body, Delete, Get, Header, HttpCode, Param, Patch, Post } from '@nestjs/common';
import type { Provider } from '../broker/provider.js';
import { ProviderRegistry } from '../broker/provider-registry.js';
import { Providers } from '../broker/providers.js';
import { RawJsonBody } from '../platform/http/body.js';
import { pageOf, readPage } from './list.dto.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { notFound } from './problem.js';
import { CreateProvider, ListProviders, toChange, toDraft, toProviderView, UpdateProvider } from './provider.dto.js';
import { QueryParameters } from './query-parameters.js';
import { stringifyRaw } from './raw-json.js';

const ProviderId = (): ParameterDecorator => Param('id', new UuidOf('broker_provider'));
const AsJson = (): MethodDecorator => Header('Content-Type', 'application/json; charset=utf-8');

/** Upstream providers. Their `config_data` is the operator's text: it is answered as it was sent, but for a secret in it. */
@OperatorController('broker-providers')
export class ProvidersController {
  constructor(
    private readonly providers: Providers,
    private readonly registry: ProviderRegistry,
  ) {}

  /** There are few providers, so that all of them are read and the page is cut out here. */
  @Get()
  @AsJson()
  async list(@QueryParameters() query: ListProviders): Promise<string> {
    const { slug, protocol, cursor = '', offset = 0 } = query;
    const all = (await this.providers.list()).filter(
      (provider) =>
        provider.id > cursor && (!slug || provider.slug === slug) && (!protocol || provider.protocol === protocol),
    );
    const { rows, nextCursor } = await readPage(query, async (limit) => all.slice(offset, offset + limit));
    return stringifyRaw(pageOf('providers', rows.map(toProviderView), nextCursor));
  }

  @Post()
  @AsJson()
  async create(@Body() dto: CreateProvider, @RawJsonBody() body: string): Promise<string> {
    return this.#withWarnings(await this.registry.create(toDraft(dto, body)));
  }

  @Get(':id')
  @AsJson()
  async get(@ProviderId() id: string): Promise<string> {
    const provider = await this.providers.find(id);
    if (!provider) throw notFound('broker_provider');
    return stringifyRaw(toProviderView(provider));
  }

  @Patch(':id')
  @AsJson()
  async update(@ProviderId() id: string, @Body() dto: UpdateProvider, @RawJsonBody() body: string): Promise<string> {
    return this.#withWarnings(await this.registry.patch(id, toChange(dto, body)));
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@ProviderId() id: string): Promise<void> {
    await this.registry.remove(id);
  }

  /** What was stored, and why it cannot work yet: the variable that it names may be set before the next start. */
  async #withWarnings(provider: Provider): Promise<string> {
    const problem = await this.registry.problemOf(provider);
    return stringifyRaw({ ...toProviderView(provider), ...(problem && { warnings: [problem] }) });
  }
}
