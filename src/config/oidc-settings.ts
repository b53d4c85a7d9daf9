import { Matches } from 'class-validator';
import { Each, IsAuthorizationParameters, IsHostName, IsHttpUrl, IsIssuer, IsOffOrDuration } from './setting-checks.js';
import { boolean, json, list, records, text } from './setting.js';

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** An identity provider at which people sign in, whichever way it is configured. */
class OidcClientSettings {
  @text('issuer', { about: 'Its issuer, byte for byte as in its discovery document.' })
  @IsHttpUrl()
  readonly issuer?: string;

  @text('client_id', { about: 'What this server is called there.' })
  readonly clientId?: string;

  @text('client_secret', { secret: true, about: 'Without any secret this server is a public client there.' })
  readonly clientSecret?: string;

  @text('client_secret_ref', {
    env: false,
    about: 'Name of the variable with the client secret: CONNECTOR_… or AUTHPLANE_VAULT_….',
  })
  readonly clientSecretRef?: string;

  @text('display_name', { about: 'Its name on the sign-in page.', defaultText: "its issuer's host" })
  readonly displayName?: string;

  @list('scopes', { about: 'What is asked for; openid always is.', defaultText: '`openid email profile`' })
  readonly scopes: readonly string[];

  @boolean('include_groups_scope', { default: true, about: 'Ask for the scope groups where the provider knows it.' })
  readonly includeGroupsScope: boolean;

  @text('groups_claim', {
    default: 'groups',
    about: 'The claim of the ID token or the user info that holds the groups of a person.',
  })
  readonly groupsClaim: string;

  @text('recheck', {
    default: 'off',
    about:
      'off, or after how long (1m or more) the provider is asked again whether a person who signed in there is still welcome. It needs data_encryption.',
  })
  @IsOffOrDuration('1m')
  readonly recheck: string;

  @json('authorization_parameters', {
    about:
      'Further parameters of the authorization request; Google: access_type offline and prompt consent, for recheck.',
  })
  @IsAuthorizationParameters()
  readonly authorizationParameters: string;

  @boolean('logout_revokes_tokens', {
    default: false,
    about: 'A sign-out that the provider tells of by its back channel also ends the token families of the person.',
  })
  readonly logoutRevokesTokens: boolean;

  @text('connector_id', { about: 'Dex: which of its connectors to use, without asking the person.' })
  readonly connectorId?: string;

  @list('hosted_domains', { about: 'Only people whose ID token has one of these as hd (Google) may sign in.' })
  @Each(IsHostName())
  readonly hostedDomains: readonly string[];

  @list('tenants', { about: 'Only people whose ID token has one of these as tid (Entra ID) may sign in.' })
  readonly tenants: readonly string[];

  @list('email_domains', {
    about: 'People with an address in one of these are sent there by the address they type, and it has no button.',
  })
  @Each(IsHostName())
  readonly emailDomains: readonly string[];

  @boolean('trust_email', {
    default: false,
    about: 'Keep an e-mail address also when the provider does not say that it verified it.',
  })
  readonly trustEmail: boolean;

  @boolean('logout_upstream', {
    default: false,
    about:
      'Signing out here goes on to its sign-out page, where it has one; {issuer}/login must be registered there as post-logout redirect URI.',
  })
  readonly logoutUpstream: boolean;
}

/** One of several, in YAML. */
export class OidcProviderSettings extends OidcClientSettings {
  @text('slug', { default: '', about: 'Its name in /oidc/{slug}/callback, the redirect URI to register there.' })
  @Matches(SLUG, { message: 'must be 1 to 63 lower-case letters, digits and hyphens' })
  readonly slug: string;
}

export class OidcSettings extends OidcClientSettings {
  @boolean('enabled', { default: false, about: 'Let people sign in at the provider that stands here.' })
  readonly enabled: boolean;

  @text('client_secret_env', {
    env: false,
    about: 'The former spelling of client_secret_ref, with a variable of any name.',
  })
  readonly clientSecretEnv?: string;

  @text('redirect_uri', { defaultText: '{issuer}/oidc/callback', about: 'As it is registered at the provider.' })
  @IsIssuer()
  readonly redirectUri?: string;

  @boolean('show_local_login', {
    default: true,
    about: 'Passwords of this server: false hides the form and makes POST /login a 404.',
  })
  readonly showLocalLogin: boolean;

  @records('providers', () => OidcProviderSettings, 'Further identity providers.')
  readonly providers: readonly OidcProviderSettings[];
}
