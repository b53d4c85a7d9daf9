import { Injectable } from '@nestjs/common';
import { OAuthError, redirectKind } from '#libs/oauth';
import { Config } from '../config/config.js';
import type { Resource } from '../resources/resource.js';

/** Where the connect page may send a person back to: what an operator typed, byte for byte, and nothing like it (no open redirect). */
@Injectable()
export class ReturnUrls {
  readonly #everywhere: readonly string[];

  constructor(config: Config) {
    this.#everywhere = config.connect.allowedReturnUrls;
  }

  /** @throws OAuthError `return-url-refused` for a page */
  require(url: string, { slug, policy }: Resource): void {
    const allowed = [...this.#everywhere, ...policy.connect.allowedReturnUrls].includes(url);
    const kind = redirectKind(url);
    if (allowed && (kind === 'https' || kind === 'loopback')) return;
    const facts = { resource: slug, received: url.slice(0, 200) };
    throw new OAuthError('return-url-refused', 'return_url_not_allowed', { facts });
  }
}
