import { Get, Header, Req } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError } from '#libs/oauth';
import { Config } from '../config/config.js';
import { ProtocolController } from '../platform/http/listeners.js';
import type { Resource, ResourceSnapshot } from '../resources/resource.js';
import { Resources } from '../resources/resources.js';

const BASE = '/.well-known/oauth-protected-resource';

/** RFC 9728 metadata for every registered resource, for clients and for resource servers that serve none of their own. */
@ProtocolController()
export class ProtectedResourceController {
  constructor(
    private readonly resources: Resources,
    private readonly config: Config,
  ) {}

  @Get([BASE, `${BASE}/*ref`])
  @Header('Cache-Control', 'public, max-age=60')
  async metadata(@Req() req: Request): Promise<object> {
    const snapshot = await this.resources.currentOrLastKnown();
    const resource = this.#find(snapshot, referenceOf(req));
    if (resource?.uri === undefined) throw new OAuthError('not-found', 'not_found');
    return {
      resource: resource.uri,
      authorization_servers: [this.config.server.issuer],
      ...(resource.scopes.length > 0 ? { scopes_supported: resource.scopes.map(({ name }) => name) } : {}),
      bearer_methods_supported: ['header'],
      ...(resource.dpopRequired ? { dpop_bound_access_tokens_required: true } : {}),
      ...(resource.displayName ? { resource_name: resource.displayName } : {}),
    };
  }

  /** The slug first; else the path of the URI, if exactly one resource has it (W49); nothing means our own origin. */
  #find(snapshot: ResourceSnapshot, reference: string | undefined): Resource | undefined {
    if (reference === undefined) return undefined;
    if (reference === '') return snapshot.byUri(new URL(this.config.server.issuer).origin);
    const bySlug = snapshot.bySlug(reference);
    if (bySlug) return bySlug;
    const [only, ...others] = snapshot.all.filter(({ uri }) => uri !== undefined && pathOf(uri) === `/${reference}`);
    return others.length === 0 ? only : undefined;
  }
}

/** What follows the well-known name; undefined when it is no valid UTF-8. */
function referenceOf(req: Request): string | undefined {
  try {
    return decodeURIComponent(req.path.slice(BASE.length).replace(/^\//, ''));
  } catch {
    return undefined;
  }
}

const pathOf = (uri: string): string | undefined => (URL.canParse(uri) ? new URL(uri).pathname : undefined);
