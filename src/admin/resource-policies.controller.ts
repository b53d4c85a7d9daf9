import { Body, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { Clients } from '../clients/clients.js';
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

/** One list of a policy: where it lies and how it is replaced. */
interface PolicyList {
  /** As the audit names an entry. */
  readonly entry: string;
  readonly of: (policy: ResourcePolicy) => readonly string[];
  readonly change: (entries: string[]) => Partial<ResourcePolicy>;
}

const allowedClients: PolicyList = {
  entry: 'exchange.allowed_client',
  of: ({ exchange }) => exchange.allowedClientIds,
  change: (allowedClientIds) => ({ exchange: { allowedClientIds } }),
};
const runtimeClients: PolicyList = {
  entry: 'runtime.client',
  of: ({ runtime }) => runtime.clientIds,
  change: (clientIds) => ({ runtime: { clientIds } }),
};
const returnUrls: PolicyList = {
  entry: 'connect.allowed_return_url',
  of: ({ connect }) => connect.allowedReturnUrls,
  change: (allowedReturnUrls) => ({ connect: { allowedReturnUrls } }),
};

/** The three lists of a resource's policy, entry by entry. Adding what is there and removing what is not change nothing. */
@OperatorController('resources/:slug/policy')
export class ResourcePoliciesController {
  constructor(
    private readonly registry: ResourceRegistry,
    private readonly clients: Clients,
  ) {}

  @Get('exchange/allowed-clients')
  async allowedClients(@Slug() slug: string): Promise<object> {
    return { allowed_client_ids: allowedClients.of((await this.#resource(slug)).policy) };
  }

  @Post('exchange/allowed-clients')
  @HttpCode(200)
  async addAllowedClient(@Slug() slug: string, @Body() { client_id: id }: PolicyClient): Promise<object> {
    await this.#requireClient(id);
    return { allowed_client_ids: await this.#add(slug, allowedClients, id) };
  }

  @Delete('exchange/allowed-clients/:clientId')
  @HttpCode(204)
  removeAllowedClient(@Slug() slug: string, @ClientId() id: string): Promise<void> {
    return this.#remove(slug, allowedClients, id);
  }

  @Get('runtime/client-ids')
  async runtimeClients(@Slug() slug: string): Promise<object> {
    return { client_ids: runtimeClients.of((await this.#resource(slug)).policy) };
  }

  @Post('runtime/client-ids')
  @HttpCode(200)
  async addRuntimeClient(@Slug() slug: string, @Body() { client_id: id }: PolicyClient): Promise<object> {
    await this.#requireClient(id);
    return { client_ids: await this.#add(slug, runtimeClients, id) };
  }

  @Delete('runtime/client-ids/:clientId')
  @HttpCode(204)
  removeRuntimeClient(@Slug() slug: string, @ClientId() id: string): Promise<void> {
    return this.#remove(slug, runtimeClients, id);
  }

  @Get('connect/allowed-return-urls')
  async returnUrls(@Slug() slug: string): Promise<object> {
    return { allowed_return_urls: returnUrls.of((await this.#resource(slug)).policy) };
  }

  @Post('connect/allowed-return-urls')
  @HttpCode(200)
  async addReturnUrl(@Slug() slug: string, @Body() { url }: PolicyReturnUrl): Promise<object> {
    if (!URL.canParse(url) || !/^https?:\/\//i.test(url)) throw invalidRequest('url must be an absolute http(s) URL');
    return { allowed_return_urls: await this.#add(slug, returnUrls, url) };
  }

  @Delete('connect/allowed-return-urls')
  @HttpCode(204)
  removeReturnUrl(@Slug() slug: string, @QueryParameters() { url }: PolicyReturnUrl): Promise<void> {
    return this.#remove(slug, returnUrls, url);
  }

  /** Decided under the lock of the row, so that two operators who add at once both find their entry. */
  async #add(slug: string, list: PolicyList, entry: string): Promise<readonly string[]> {
    const { id, policy } = await this.#resource(slug);
    if (list.of(policy).includes(entry)) return list.of(policy);
    const changed = await this.registry.patch(
      id,
      (known) => ({ policy: list.change(withEntry(list.of(known.policy), entry)) }),
      { action: `resource.policy.${list.entry}.added`, detail: { id, slug, entry } },
    );
    return list.of(changed.policy);
  }

  async #remove(slug: string, list: PolicyList, entry: string): Promise<void> {
    const { id, policy } = await this.#resource(slug);
    if (!list.of(policy).includes(entry)) return;
    await this.registry.patch(
      id,
      (known) => ({ policy: list.change(list.of(known.policy).filter((other) => other !== entry)) }),
      { action: `resource.policy.${list.entry}.removed`, detail: { id, slug, entry } },
    );
  }

  async #resource(slugOrId: string): Promise<Resource> {
    const all = await this.registry.list();
    const resource = all.find(({ slug }) => slug === slugOrId) ?? all.find(({ id }) => id === slugOrId);
    if (!resource) throw notFound('resource');
    return resource;
  }

  /** A typing error in a policy would be a permission that nobody has, or that somebody registers later. */
  async #requireClient(id: string): Promise<void> {
    if (!(await this.clients.named(id))) throw invalidRequest('client_id is not a registered client');
  }
}

function withEntry(list: readonly string[], entry: string): string[] {
  if (list.length >= maxEntries) throw invalidRequest(`the list has ${maxEntries} entries and can have no more`);
  return [...new Set([...list, entry])];
}
