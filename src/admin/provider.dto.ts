import { IsIn, IsObject, MinLength } from 'class-validator';
import { findJsonMember } from '#libs/oauth';
import type { Protocol, Provider } from '../broker/provider.js';
import type { ProviderChange, ProviderDraft } from '../broker/provider-registry.js';
import { UuidPageQuery } from './list.dto.js';
import { IsText, MayBeAbsent } from './member-checks.js';
import { RawJson } from './raw-json.js';

const protocols = ['oauth', 'api_key', 'service_account'];

export class CreateProvider {
  /** Also the segment of `/connect/{slug}`. */
  @IsText(63)
  @MinLength(1)
  slug: string;

  @MayBeAbsent()
  @IsText(200)
  display_name?: string;

  @IsIn(protocols)
  protocol: Protocol;

  /** What the protocol needs; kept byte for byte, but for a secret in it. */
  @IsObject()
  config_data: object;
}

export class UpdateProvider {
  @MayBeAbsent()
  @IsText(63)
  @MinLength(1)
  slug?: string;

  @MayBeAbsent()
  @IsText(200)
  display_name?: string;

  @MayBeAbsent()
  @IsIn(protocols)
  protocol?: Protocol;

  /** Replaces the whole; a sealed secret stays unless another is given. */
  @MayBeAbsent()
  @IsObject()
  config_data?: object;
}

export class ListProviders extends UuidPageQuery {
  @MayBeAbsent()
  @IsText(63)
  slug?: string;

  @MayBeAbsent()
  @IsIn(protocols)
  protocol?: Protocol;
}

/** @param body the text that `dto` was read from */
export const toDraft = (dto: CreateProvider, body: string): ProviderDraft => ({
  slug: dto.slug,
  displayName: dto.display_name,
  protocol: dto.protocol,
  configData: configDataOf(body) ?? '',
});

export const toChange = (dto: UpdateProvider, body: string): ProviderChange => ({
  slug: dto.slug,
  displayName: dto.display_name,
  protocol: dto.protocol,
  configData: dto.config_data && configDataOf(body),
});

/** Nothing of the secret, not even that there is one. */
export const toProviderView = (provider: Provider) => ({
  id: provider.id,
  slug: provider.slug,
  display_name: provider.displayName,
  protocol: provider.protocol,
  config_data: new RawJson(provider.configData),
  created_at: provider.createdAt.toISOString(),
  updated_at: provider.updatedAt.toISOString(),
});

function configDataOf(body: string): string | undefined {
  const member = findJsonMember(body, 'config_data');
  return member && body.slice(member.valueStart, member.end);
}
