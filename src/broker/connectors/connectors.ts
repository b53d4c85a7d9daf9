import { Injectable } from '@nestjs/common';
import type { Protocol } from '../provider.js';
import { ApiKeyConnector } from './api-key.connector.js';
import type { Connector } from './connector.js';
import { OAuthConnector } from './oauth.connector.js';
import { JwtBearerConnector } from './jwt-bearer.connector.js';

/** The connector of each protocol. */
@Injectable()
export class Connectors {
  readonly #byProtocol: ReadonlyMap<Protocol, Connector>;

  constructor(oauth: OAuthConnector, apiKey: ApiKeyConnector, jwtBearer: JwtBearerConnector) {
    const all: Connector[] = [oauth, apiKey, jwtBearer];
    this.#byProtocol = new Map(all.map((connector) => [connector.protocol, connector]));
  }

  of({ protocol }: { readonly protocol: Protocol }): Connector {
    const connector = this.#byProtocol.get(protocol);
    if (!connector) throw new Error(`no connector for protocol ${protocol}`);
    return connector;
  }
}
