import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInstance,
  IsObject,
  IsUUID,
  MinLength,
  ValidateNested,
} from 'class-validator';
import type { Resource, ResourcePolicy, ResourceScope } from '../resources/resource.js';
import type { ResourceChange, ResourceDraft } from '../resources/resource-registry.js';
import { UuidPageQuery } from './list.dto.js';
import { IsSeconds, IsText, IsTextList, MayBeAbsent, MayBeNull } from './member-checks.js';

class ScopeMember {
  @IsText(128)
  @MinLength(1)
  name: string;

  @MayBeAbsent()
  @IsText(500)
  description?: string;

  /** The provider's name for it, on broker resources. */
  @MayBeAbsent()
  @IsText(200)
  upstream?: string;

  /** Whether its box on the consent page starts ticked; true when absent. */
  @MayBeAbsent()
  @IsBoolean()
  default?: boolean;
}

class ExchangeMember {
  @MayBeAbsent()
  @IsTextList(500, 2048)
  allowed_client_ids?: string[];
}

class RuntimeMember {
  @MayBeAbsent()
  @IsTextList(500, 2048)
  client_ids?: string[];
}

class ConnectMember {
  @MayBeAbsent()
  @IsTextList(100, 2048)
  allowed_return_urls?: string[];
}

/** Of each sub-policy, what is absent stays as it is. */
class PolicyMember {
  @MayBeAbsent()
  @Type(() => ExchangeMember)
  @ValidateNested()
  @IsInstance(ExchangeMember)
  exchange?: ExchangeMember;

  @MayBeAbsent()
  @Type(() => RuntimeMember)
  @ValidateNested()
  @IsInstance(RuntimeMember)
  runtime?: RuntimeMember;

  @MayBeAbsent()
  @Type(() => ConnectMember)
  @ValidateNested()
  @IsInstance(ConnectMember)
  connect?: ConnectMember;
}

class ResourceSettings {
  @MayBeAbsent()
  @IsText(200)
  display_name?: string;

  /** Replaces the whole list. */
  @MayBeAbsent()
  @Type(() => ScopeMember)
  @ValidateNested({ each: true })
  @IsObject({ each: true })
  @ArrayMaxSize(100)
  @IsArray()
  scopes?: ScopeMember[];

  @MayBeAbsent()
  @Type(() => PolicyMember)
  @ValidateNested()
  @IsInstance(PolicyMember)
  policy?: PolicyMember;

  /** Whether its tokens must be bound to a key. */
  @MayBeAbsent()
  @IsBoolean()
  dpop_required?: boolean;
}

export class CreateResource extends ResourceSettings {
  @IsText(64)
  @MinLength(1)
  slug: string;

  /** What clients send as `resource` and find as `aud`, byte for byte (RFC 8707). */
  @MayBeAbsent()
  @IsText(2048)
  uri?: string;

  @IsIn(['mint', 'broker'])
  backend_kind: 'mint' | 'broker';

  /** Of a broker resource; or its slug. */
  @MayBeAbsent()
  @IsUUID()
  broker_provider_id?: string;

  @MayBeAbsent()
  @IsText(63)
  broker_provider_slug?: string;

  /** Seconds. */
  @MayBeAbsent()
  @IsSeconds(24 * 60 * 60)
  access_token_ttl?: number;
}

export class UpdateResource extends ResourceSettings {
  @MayBeAbsent()
  @IsText(64)
  @MinLength(1)
  slug?: string;

  /** Empty or null takes it away. */
  @MayBeNull()
  @IsText(2048)
  uri?: string | null;

  @MayBeAbsent()
  @IsIn(['mint', 'broker'])
  backend_kind?: 'mint' | 'broker';

  /** null takes it away, for a resource that becomes one of kind mint. */
  @MayBeNull()
  @IsUUID()
  broker_provider_id?: string | null;

  @MayBeAbsent()
  @IsText(63)
  broker_provider_slug?: string;

  /** Seconds; null: the server's default. */
  @MayBeNull()
  @IsSeconds(24 * 60 * 60)
  access_token_ttl?: number | null;
}

export class ListResources extends UuidPageQuery {
  @MayBeAbsent()
  @IsText(64)
  slug?: string;

  @MayBeAbsent()
  @IsIn(['mint', 'broker'])
  backend_kind?: 'mint' | 'broker';

  /** Id or slug of the provider that they lead to. */
  @MayBeAbsent()
  @IsText(63)
  broker_provider?: string;
}

export class DeleteResource {
  /** Also the fronting links from and to the resource. */
  @MayBeAbsent()
  @IsIn(['true', 'false'])
  cascade?: 'true' | 'false';
}

/** One entry of a list of clients in a policy. */
export class PolicyClient {
  @IsText(2048)
  @MinLength(1)
  client_id: string;
}

export class PolicyReturnUrl {
  @IsText(2048)
  @MinLength(1)
  url: string;
}

/** @param brokerProviderId as `requestedProvider` found it */
export const toDraft = (dto: CreateResource, brokerProviderId?: string): ResourceDraft => ({
  brokerProviderId,
  slug: dto.slug,
  uri: dto.uri,
  backendKind: dto.backend_kind,
  displayName: dto.display_name,
  scopes: dto.scopes?.map(toScope),
  policy: dto.policy && toPolicy(dto.policy),
  dpopRequired: dto.dpop_required,
  accessTokenTtlSeconds: dto.access_token_ttl,
});

export const toChange = (dto: UpdateResource, brokerProviderId?: string | null): ResourceChange => ({
  brokerProviderId,
  dpopRequired: dto.dpop_required,
  slug: dto.slug,
  uri: dto.uri === '' ? null : dto.uri,
  backendKind: dto.backend_kind,
  displayName: dto.display_name,
  scopes: dto.scopes?.map(toScope),
  policy: dto.policy && toPolicy(dto.policy),
  accessTokenTtlSeconds: dto.access_token_ttl,
});

export const toResourceView = (resource: Resource) => ({
  id: resource.id,
  slug: resource.slug,
  uri: resource.uri,
  backend_kind: resource.backendKind,
  broker_provider_id: resource.brokerProviderId ?? '',
  display_name: resource.displayName,
  scopes: resource.scopes.map(({ name, description, upstream, default: isDefault }) => {
    return { name, description, upstream, default: isDefault };
  }),
  policy: {
    exchange: { allowed_client_ids: resource.policy.exchange.allowedClientIds },
    runtime: { client_ids: resource.policy.runtime.clientIds },
    ...(resource.backendKind === 'broker' && {
      connect: { allowed_return_urls: resource.policy.connect.allowedReturnUrls },
    }),
  },
  dpop_required: resource.dpopRequired,
  access_token_ttl: resource.accessTokenTtlSeconds,
  created_at: resource.createdAt.toISOString(),
  updated_at: resource.updatedAt.toISOString(),
});

const toScope = ({ name, description = '', upstream, default: isDefault = true }: ScopeMember): ResourceScope => ({
  name,
  description,
  ...(upstream ? { upstream } : {}),
  default: isDefault,
});

/** Only the sub-policies that are named. */
const toPolicy = ({ exchange, runtime, connect }: PolicyMember): Partial<ResourcePolicy> => ({
  ...(exchange?.allowed_client_ids && { exchange: { allowedClientIds: unique(exchange.allowed_client_ids) } }),
  ...(runtime?.client_ids && { runtime: { clientIds: unique(runtime.client_ids) } }),
  ...(connect?.allowed_return_urls && { connect: { allowedReturnUrls: unique(connect.allowed_return_urls) } }),
});

const unique = (values: readonly string[]): string[] => [...new Set(values)];
