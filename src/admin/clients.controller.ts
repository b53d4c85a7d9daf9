import { Body, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { Clients, type Client } from '../clients/clients.js';
import {
  CreateClient,
  ListClients,
  RotateSecret,
  toClientView,
  toCreatedView,
  toFacts,
  UpdateClient,
} from './client.dto.js';
import { requireDuration } from './duration.js';
import { LiveTokens } from './live-tokens.js';
import { DeleteQuery, pageOf } from './list.dto.js';
import { OperatorController } from './operator-controller.js';
import { NameOf } from './path-id.js';
import { notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';

const maxOverlapSeconds = 30 * 24 * 60 * 60;
const ClientId = (): ParameterDecorator => Param('id', new NameOf('client'));

@OperatorController('clients')
export class ClientsController {
  constructor(
    private readonly clients: Clients,
    private readonly liveTokens: LiveTokens,
  ) {}

  @Get()
  async list(@QueryParameters() query: ListClients): Promise<object> {
    const { clients, nextCursor } = await this.clients.list({ ...query, limit: query.limit ?? 100 });
    return pageOf('clients', clients.map(toClientView), nextCursor);
  }

  @Post()
  async create(@Body() dto: CreateClient): Promise<object> {
    const { client, secret } = await this.clients.create(dto, 'admin', toFacts(dto));
    return toCreatedView(client, secret);
  }

  @Get(':id')
  async get(@ClientId() id: string): Promise<object> {
    return toClientView(await this.#stored(id));
  }

  @Patch(':id')
  async update(@ClientId() id: string, @Body() dto: UpdateClient): Promise<object> {
    return toClientView(await this.clients.update(id, dto, toFacts(dto)));
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@ClientId() id: string, @QueryParameters() { force }: DeleteQuery): Promise<void> {
    await this.#stored(id);
    if (force !== 'true') await this.liveTokens.refuseWhileAny('client', { clientId: id });
    await this.clients.delete(id, { force: force === 'true' });
  }

  /** P10: the former secret works on for the overlap, so that nobody is locked out while the new one is rolled out. */
  @Post(':id/rotate-secret')
  @HttpCode(200)
  async rotateSecret(@ClientId() id: string, @Body() { overlap }: RotateSecret): Promise<object> {
    const overlapSeconds = overlap === undefined ? undefined : requireDuration('overlap', overlap, maxOverlapSeconds);
    const { client, secret } = await this.clients.rotateSecret(id, { overlapSeconds });
    return { client_id: client.id, client_secret: secret };
  }

  @Patch(':id/suspend')
  suspend(@ClientId() id: string): Promise<object> {
    return this.clients.suspend(id).then(toStatus);
  }

  @Patch(':id/reactivate')
  reactivate(@ClientId() id: string): Promise<object> {
    return this.clients.reactivate(id).then(toStatus);
  }

  @Patch(':id/revoke')
  revoke(@ClientId() id: string): Promise<object> {
    return this.clients.revoke(id).then(toStatus);
  }

  async #stored(id: string): Promise<Client> {
    const client = await this.clients.stored(id);
    if (!client) throw notFound('client');
    return client;
  }
}

const toStatus = ({ status }: Client): object => ({ status });
