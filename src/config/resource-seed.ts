import { Matches } from 'class-validator';
import { IsAbsoluteUri } from './setting-checks.js';
import { boolean, list, records, section, text } from './setting.js';

export class ScopeSeed {
  @text('name', { default: '', about: 'The scope as clients ask for it.' })
  @Matches(/^[\x21\x23-\x5b\x5d-\x7e]+$/, { message: 'must be one scope token (RFC 6749 §3.3)' })
  readonly name: string;

  @text('description', { default: '', about: 'What it allows, for the consent page.' })
  readonly description: string;

  @text('upstream', { about: "The upstream provider's name of it, for broker resources." })
  readonly upstream?: string;

  @boolean('default', { default: true, about: 'Whether its box on the consent page is ticked at first.' })
  readonly default: boolean;
}

export class ExchangePolicySeed {
  @list('allowed_client_ids', { about: 'Clients that may exchange a token for one of this resource.' })
  readonly allowedClientIds: readonly string[];
}

export class RuntimePolicySeed {
  @list('client_ids', { about: 'Clients that are this resource: they may introspect its tokens.' })
  readonly clientIds: readonly string[];
}

export class ConnectPolicySeed {
  @list('allowed_return_urls', { about: 'Where the connect page may send the person back to.' })
  readonly allowedReturnUrls: readonly string[];
}

export class ResourcePolicySeed {
  @section('exchange', () => ExchangePolicySeed, 'Token exchange.')
  readonly exchange: ExchangePolicySeed;

  @section('runtime', () => RuntimePolicySeed, 'The resource itself.')
  readonly runtime: RuntimePolicySeed;

  @section('connect', () => ConnectPolicySeed, 'Connecting upstream accounts.')
  readonly connect: ConnectPolicySeed;
}

/** One resource to create at boot if its slug does not exist. */
export class ResourceSeed {
  @text('slug', { default: '', about: 'Short name in lower case; the row is created only when no resource has it.' })
  @Matches(/^[a-z0-9][a-z0-9-]{0,62}$/, { message: 'must be 1 to 63 lower-case letters, digits and hyphens' })
  readonly slug: string;

  @text('uri', { about: 'The URI that clients send as `resource` and that tokens carry as `aud`.' })
  @IsAbsoluteUri()
  readonly uri?: string;

  @text('backend_kind', { default: 'mint', oneOf: ['mint', 'broker'], about: 'Whether this server mints its tokens.' })
  readonly backendKind: 'mint' | 'broker';

  @text('broker_provider_slug', { about: 'The provider of a broker resource.' })
  readonly brokerProviderSlug?: string;

  @text('broker_provider_id', { about: 'The same by its id; the slug wins.' })
  readonly brokerProviderId?: string;

  @text('display_name', { default: '', about: 'Its name on pages.' })
  readonly displayName: string;

  @records('scopes', () => ScopeSeed, 'What may be asked for.')
  readonly scopes: readonly ScopeSeed[];

  @section('policy', () => ResourcePolicySeed, 'Who may do what with it.')
  readonly policy: ResourcePolicySeed;

  @boolean('dpop_required', { default: false, about: 'Whether its tokens must be bound to a key (DPoP).' })
  readonly dpopRequired: boolean;
}

export class SingleResourceSettings {
  @text('uri', { about: 'Its URI. The slug is made from host and path.' })
  @IsAbsoluteUri()
  readonly uri?: string;

  @list('scopes', { about: 'Names of its scopes.' })
  readonly scopes: readonly string[];
}

/** `https://mcp.example.com/mcp` has the slug `mcp-example-com-mcp`. */
export function seedOf({ uri, scopes }: SingleResourceSettings): ResourceSeed | undefined {
  if (uri === undefined || !URL.canParse(uri)) return undefined;
  const { host, pathname } = new URL(uri);
  const slug = `${host}${pathname}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 63)
    .replace(/-$/, '');
  return Object.assign(new ResourceSeed(), {
    slug,
    uri,
    backendKind: 'mint' as const,
    displayName: host,
    dpopRequired: false,
    scopes: scopes.map((name) => Object.assign(new ScopeSeed(), { name, description: '', default: true })),
    policy: Object.assign(new ResourcePolicySeed(), {
      exchange: Object.assign(new ExchangePolicySeed(), { allowedClientIds: [] }),
      runtime: Object.assign(new RuntimePolicySeed(), { clientIds: [] }),
      connect: Object.assign(new ConnectPolicySeed(), { allowedReturnUrls: [] }),
    }),
  });
}
