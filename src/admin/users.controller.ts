import { Body, Delete, Get, HttpCode, Patch, Post, Put } from '@nestjs/common';
import { Users } from '../accounts/users.js';
import { Connections } from '../broker/connections.js';
import { LiveTokens } from './live-tokens.js';
import { DeleteQuery, pageOf, readPage, UuidPageQuery } from './list.dto.js';
import { OperatorController } from './operator-controller.js';
import { UserId } from './path-id.js';
import { conflict, notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';
import { CreateUser, SetPassword, toUserView, UpdateUser } from './user.dto.js';

@OperatorController('users')
export class UsersController {
  constructor(
    private readonly users: Users,
    private readonly liveTokens: LiveTokens,
    private readonly connections: Connections,
  ) {}

  @Get()
  async list(@QueryParameters() query: UuidPageQuery): Promise<object> {
    const { cursor, offset = 0 } = query;
    const { rows, nextCursor } = await readPage(query, async (limit) => {
      return (await this.users.list({ limit: offset + limit, cursor })).slice(offset);
    });
    return pageOf('users', rows.map(toUserView), nextCursor);
  }

  @Post()
  async create(@Body() dto: CreateUser): Promise<object> {
    return toUserView(await this.users.create(dto));
  }

  @Get(':id')
  get(@UserId() id: string): Promise<object> {
    return found(this.users.find(id)).then(toUserView);
  }

  @Patch(':id')
  update(@UserId() id: string, @Body() dto: UpdateUser): Promise<object> {
    return found(this.users.update(id, dto)).then(toUserView);
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@UserId() id: string, @QueryParameters() { force }: DeleteQuery): Promise<void> {
    await found(this.users.find(id));
    if (force !== 'true') await this.liveTokens.refuseWhileAny('user', { userId: id });
    if (!(await this.users.delete(id, (tx) => this.connections.endAll(tx, id)))) throw notFound('user');
  }

  @Patch(':id/disable')
  disable(@UserId() id: string): Promise<object> {
    return found(this.users.disable(id)).then(({ status }) => ({ status }));
  }

  @Patch(':id/enable')
  enable(@UserId() id: string): Promise<object> {
    return found(this.users.enable(id)).then(({ status }) => ({ status }));
  }

  @Put(':id/password')
  @HttpCode(204)
  async setPassword(@UserId() id: string, @Body() { password }: SetPassword): Promise<void> {
    const { provider } = await found(this.users.find(id));
    if (provider !== 'local') throw conflict('user_not_local', 'this user signs in elsewhere and has no password here');
    await found(this.users.setPassword(id, password));
  }
}

async function found<T>(looked: Promise<T | undefined>): Promise<T> {
  const value = await looked;
  if (value === undefined) throw notFound('user');
  return value;
}
