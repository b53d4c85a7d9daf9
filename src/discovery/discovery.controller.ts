import { Get, Header, Param } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Config } from '../config/config.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { ServerMetadata } from './server-metadata.js';

/**
 * The same document at every place where a client may look (RFC 8414 §3, OpenID Connect Discovery §4): with the issuer's path inserted
 * after the well-known name, appended before it, and bare. A path that is not the issuer's is 404, so that clients try the next place.
 */
@ProtocolController('.well-known')
export class DiscoveryController {
  readonly #issuerPath: string;

  constructor(
    private readonly metadata: ServerMetadata,
    config: Config,
  ) {
    this.#issuerPath = new URL(config.server.issuer).pathname.replace(/^\/$/, '');
  }

  @Get(['oauth-authorization-server', 'openid-configuration'])
  @Header('Cache-Control', 'public, max-age=60')
  bare(): Promise<object> {
    return this.metadata.document();
  }

  @Get(['oauth-authorization-server/*path', 'openid-configuration/*path'])
  @Header('Cache-Control', 'public, max-age=60')
  inserted(@Param('path') path: string | string[]): Promise<object> {
    const asked = `/${[path].flat().join('/')}`;
    if (asked !== this.#issuerPath) throw new OAuthError('not-found', 'not_found', { facts: { received: asked } });
    return this.metadata.document();
  }
}
