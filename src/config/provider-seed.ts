import { Matches } from 'class-validator';
import { json, text } from './setting.js';

const protocols = ['oauth', 'api_key', 'service_account'] as const;
const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const slugMessage = { message: 'must be 1 to 63 lower-case letters, digits and hyphens' };

/** One upstream provider to create at boot if its slug does not exist. */
export class ProviderSeed {
  @text('slug', { default: '', about: 'Also the segment of /connect/{slug}; created only when no provider has it.' })
  @Matches(SLUG, slugMessage)
  readonly slug: string;

  @text('display_name', { default: '', about: 'Its name on pages.' })
  readonly displayName: string;

  @text('protocol', { default: 'oauth', oneOf: protocols, about: 'How its credentials are had.' })
  readonly protocol: (typeof protocols)[number];

  @json('config_data', { secret: true, about: 'What the protocol needs (docs/guides/broker.md): a mapping, or JSON.' })
  readonly configData: string;
}

/** What an operator who configures by environment alone can say; the rest is in `broker_providers` or the admin API. */
export class SingleProviderSettings {
  @text('slug', { about: 'Its slug; without one there is none.' })
  @Matches(SLUG, slugMessage)
  readonly slug?: string;

  @text('display_name', { default: '', about: 'Its name on pages.' })
  readonly displayName: string;

  @text('protocol', { default: 'oauth', oneOf: ['oauth'], about: 'How its credentials are had.' })
  readonly protocol: 'oauth';

  @text('preset', {
    about: 'github, google, slack, notion, linear, atlassian: what is known about it need not be set.',
  })
  readonly preset?: string;

  @text('client_id', { about: 'What this server is called there.' })
  readonly clientId?: string;

  @text('client_secret_ref', {
    about: 'Name of the variable with the client secret: CONNECTOR_… or AUTHPLANE_VAULT_….',
  })
  readonly clientSecretRef?: string;

  @text('client_secret_env', { about: 'The former spelling of client_secret_ref.' })
  readonly clientSecretEnv?: string;

  @text('authorize_url', { about: 'Where people are sent.' })
  readonly authorizeUrl?: string;

  @text('token_url', { about: 'Where codes and refresh tokens are redeemed.' })
  readonly tokenUrl?: string;

  @text('response_format', { about: 'slack: the token answer is wrapped as Slack does it.' })
  readonly responseFormat?: string;
}

/** As one of `broker_providers`; what is not set is left to the preset. */
export function providerSeedOf(single: SingleProviderSettings): ProviderSeed | undefined {
  const { slug, displayName, protocol } = single;
  if (slug === undefined) return undefined;
  const configData = JSON.stringify({
    preset: single.preset,
    client_id: single.clientId,
    client_secret_ref: single.clientSecretRef,
    client_secret_env: single.clientSecretEnv,
    authorize_url: single.authorizeUrl,
    token_url: single.tokenUrl,
    response_format: single.responseFormat,
  });
  const seed = Object.assign(new ProviderSeed(), { slug, displayName, protocol });
  return Object.defineProperty(seed, 'configData', { value: configData, enumerable: false });
}
