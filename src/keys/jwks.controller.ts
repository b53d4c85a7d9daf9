import { Get, Header } from '@nestjs/common';
import type { JWK } from '#libs/jwt';
import { ProtocolController } from '../platform/http/listeners.js';
import { SigningKeys } from './signing-keys.js';

@ProtocolController('.well-known')
export class JwksController {
  constructor(private readonly keys: SigningKeys) {}

  @Get('jwks.json')
  @Header('Cache-Control', 'public, max-age=300')
  async jwks(): Promise<{ keys: JWK[] }> {
    await this.keys.refresh();
    return this.keys.jwks();
  }
}
