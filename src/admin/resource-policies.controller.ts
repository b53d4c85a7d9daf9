import { Body, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Clients } from '../clients/clients.js';
import { isUrlId } from '../clients/client.js';
import type { Resource, ResourcePolicy } from '../resources/resource.js';
import { ResourceRegistry } from '../resources/resource-registry.js';
import { OperatorController } from './operator-controller.js';
import { NameOf } from './path-id.js';
import { invalidRequest, notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';
import { PolicyClient, PolicyReturnUrl } from './resource.dto.js';

const maxEntries = 500;
const Slug = (): ParameterDecorator => Param('slug', new NameOf('resource'));
const ClientId = (): ParameterDecorator => Param('clientId', new NameOf('client'));

/** The three lists of a resource's policy, entry by entry. Adding what is there and removing what is not change nothing. */
@OperatorController('resources/:slug/policy')
export class ResourcePoliciesController {
  constructor(
    private readonly registry: ResourceRegistry,
    private readonly clients: Clients,
  ) {}

  @Get('exchange/allowed-clients')
  async allowedClients(@Slug() slug: string): Promise<object> {
    return { allowed_client_ids: (await this.#resource(slug)).policy.exchange.allowedClientIds };
  }

  @Post('exchange/allowed-clients')
  @HttpCode(200)
  async addAllowedClient(@Slug() slug: string, @Body() { client_id: id }: PolicyClient): Promise<object> {
    await this.#requireClient(id);
    const { policy } = await this.#change(slug, ({ exchange }) => {
      return { exchange: { allowedClientIds: withEntry(exchange.allowedClientIds, id) } };
    });
    return { allowed_client_ids: policy.exchange.allowedClientIds };
  }

  @Delete('exchange/allowed-clients/:clientId')
  @HttpCode(204)
  async removeAllowedClient(@Slug() slug: string, @ClientId() id: string): Promise<void> {
    await this.#change(slug, ({ exchange }) => {
      return { exchange: { allowedClientIds: withoutEntry(exchange.allowedClientIds, id) } };
    });
  }

  @Get('runtime/client-ids')
  async runtimeClients(@Slug() slug: string): Promise<object> {
    return { client_ids: (await this.#resource(slug)).policy.runtime.clientIds };
  }

  @Post('runtime/client-ids')
  @HttpCode(200)
  async addRuntimeClient(@Slug() slug: string, @Body() { client_id: id }: PolicyClient): Promise<object> {
    await this.#requireClient(id);
    const { policy } = await this.#change(slug, ({ runtime }) => {
      return { runtime: { clientIds: withEntry(runtime.clientIds, id) } };
    });
    return { client_ids: policy.runtime.clientIds };
  }

  @Delete('runtime/client-ids/:clientId')
  @HttpCode(204)
  async removeRuntimeClient(@Slug() slug: string, @ClientId() id: string): Promise<void> {
    await this.#change(slug, ({ runtime }) => ({ runtime: { clientIds: withoutEntry(runtime.clientIds, id) } }));
  }

  @Get('connect/allowed-return-urls')
  async returnUrls(@Slug() slug: string): Promise<object> {
    return { allowed_return_urls: (await this.#resource(slug)).policy.connect.allowedReturnUrls };
  }

  @Post('connect/allowed-return-urls')
  @HttpCode(200)
  async addReturnUrl(@Slug() slug: string, @Body() { url }: PolicyReturnUrl): Promise<object> {
    if (!URL.canParse(url) || !/^https?:\/\//i.test(url)) throw invalidRequest('url must be an absolute http(s) URL');
    const { policy } = await this.#change(slug, ({ connect }) => {
      return { connect: { allowedReturnUrls: withEntry(connect.allowedReturnUrls, url) } };
    });
    return { allowed_return_urls: policy.connect.allowedReturnUrls };
  }

  @Delete('connect/allowed-return-urls')
  @HttpCode(204)
  async removeReturnUrl(@Slug() slug: string, @QueryParameters() { url }: PolicyReturnUrl): Promise<void> {
    await this.#change(slug, ({ connect }) => {
      return { connect: { allowedReturnUrls: withoutEntry(connect.allowedReturnUrls, url) } };
    });
  }

  async #resource(slugOrId: string): Promise<Resource> {
    const all = await this.registry.list();
    const resource = all.find(({ slug }) => slug === slugOrId) ?? all.find(({ id }) => id === slugOrId);
    if (!resource) throw notFound('resource');
    return resource;
  }

  async #change(slug: string, change: (policy: ResourcePolicy) => Partial<ResourcePolicy>): Promise<Resource> {
    const resource = await this.#resource(slug);
    return this.registry.patch(resource.id, { policy: change(resource.policy) });
  }

  /** A typing error in a policy would be a permission that nobody has, or that somebody registers later. */
  async #requireClient(id: string): Promise<void> {
    const known = (await this.clients.stored(id)) ?? (isUrlId(id) ? await this.#describedAt(id) : undefined);
    if (!known) throw invalidRequest('client_id is not a registered client');
  }

  #describedAt(url: string) {
    return this.clients.find(url).catch((error: unknown) => {
      if (error instanceof OAuthError && error.status < 500) return undefined;
      throw error;
    });
  }
}

function withEntry(list: readonly string[], entry: string): string[] {
  if (list.length >= maxEntries) throw invalidRequest(`the list has ${maxEntries} entries, which is the most it can have`);
  return [...new Set([...list, entry])];
}

const withoutEntry = (list: readonly string[], entry: string): string[] => list.filter((other) => other !== entry);
