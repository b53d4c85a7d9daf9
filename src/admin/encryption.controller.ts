import { Get, HttpCode, Post } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Reencryption } from '../encryption/reencryption.js';
import { toReencryptionView } from './encryption.dto.js';
import { OperatorController } from './operator-controller.js';
import { notFound } from './problem.js';

/** Encryption at rest: what seals, what has sealed what there is, and moving it all to the key in force. */
@OperatorController('encryption')
export class EncryptionController {
  constructor(
    private readonly config: Config,
    private readonly reencryption: Reencryption,
  ) {}

  @Get()
  async status(): Promise<object> {
    const { driver } = this.config.dataEncryption;
    const latest = await this.reencryption.latest();
    return {
      driver: driver ?? '',
      ...(driver === undefined ? {} : await this.#keyInForce()),
      values: await this.reencryption.valuesByKey(),
      reencryption: latest && toReencryptionView(latest),
    };
  }

  @Get('reencryption')
  async progress(): Promise<object> {
    const latest = await this.reencryption.latest();
    if (!latest) throw notFound('reencryption');
    return toReencryptionView(latest);
  }

  /** Begins to move every sealed value to the key in force, or goes on with it. */
  @Post('reencryption')
  @HttpCode(202)
  async begin(): Promise<object> {
    return toReencryptionView(await this.reencryption.begin());
  }

  /** A Vault that is away hides neither the counts nor the progress. */
  async #keyInForce(): Promise<object> {
    try {
      return { status: 'ok', key: (await this.reencryption.keyInForce()).id };
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      return { status: 'down', problem: error.facts.problem };
    }
  }
}
