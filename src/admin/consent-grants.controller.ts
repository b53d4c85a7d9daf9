import { Delete, HttpCode, Param } from '@nestjs/common';
import { Consents } from '../consents/consents.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { notFound } from './problem.js';

@OperatorController('grants/consent')
export class ConsentGrantsController {
  constructor(private readonly consents: Consents) {}

  /** Every token that stands on the consent is dead with it (S5). */
  @Delete(':id')
  @HttpCode(204)
  async withdraw(@Param('id', new UuidOf('consent')) id: string): Promise<void> {
    if (!(await this.consents.withdrawById(id))) throw notFound('consent');
  }
}
