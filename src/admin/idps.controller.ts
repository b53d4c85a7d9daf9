import { Body, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { Config } from '../config/config.js';
import { TrustedIdps } from '../xaa/trusted-idps.js';
import type { TrustedIdp } from '../xaa/trust.js';
import { CreateIdp, toIdpChange, toIdpDraft, toIdpView, UpdateIdp } from './idp.dto.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';

const IdpId = (): ParameterDecorator => Param('id', new UuidOf('idp'));

/** Issuers whose assertions count. There are few, so that lists have no pages. */
@OperatorController('idps')
export class IdpsController {
  constructor(
    private readonly idps: TrustedIdps,
    private readonly config: Config,
  ) {}

  @Get()
  async list(): Promise<object> {
    return { idps: (await this.idps.list()).map((idp) => this.#view(idp)) };
  }

  @Post()
  async create(@Body() dto: CreateIdp): Promise<object> {
    return this.#view(await this.idps.create(toIdpDraft(dto)));
  }

  @Get(':id')
  async get(@IdpId() id: string): Promise<object> {
    return this.#view(await this.idps.get(id));
  }

  @Put(':id')
  async update(@IdpId() id: string, @Body() dto: UpdateIdp): Promise<object> {
    return this.#view(await this.idps.update(id, toIdpChange(dto)));
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@IdpId() id: string): Promise<void> {
    await this.idps.remove(id);
  }

  /** 200 also where the issuer gives no keys: then `problem` says why. */
  @Post(':id/refresh-keys')
  @HttpCode(200)
  async refreshKeys(@IdpId() id: string): Promise<object> {
    return this.idps.refreshKeys(id);
  }

  #view(idp: TrustedIdp): object {
    return toIdpView(idp, this.config.server.issuer);
  }
}
