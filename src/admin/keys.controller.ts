import { Body, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { SigningKeys } from '../keys/signing-keys.js';
import { requireDuration } from './duration.js';
import { RotateKey, toKeyView } from './key.dto.js';
import { OperatorController } from './operator-controller.js';
import { NameOf } from './path-id.js';
import { notFound } from './problem.js';

const maxDelaySeconds = 7 * 24 * 60 * 60;

@OperatorController('keys')
export class KeysController {
  constructor(private readonly keys: SigningKeys) {}

  @Get()
  async list(): Promise<object> {
    return { keys: (await this.keys.list()).map(toKeyView) };
  }

  @Post('rotate')
  @HttpCode(200)
  rotate(@Body() { activate_after: delay }: RotateKey): Promise<object> {
    const activateAfterSeconds = delay === undefined ? 0 : requireDuration('activate_after', delay, maxDelaySeconds);
    return this.keys.rotate({ activateAfterSeconds });
  }

  /** Every token that the key signed is refused from now on (S5). */
  @Delete(':kid')
  @HttpCode(204)
  async revoke(@Param('kid', new NameOf('key')) kid: string): Promise<void> {
    if (!(await this.keys.revoke(kid))) throw notFound('key');
  }
}
