import { ConnectSettings } from './connect-settings.js';
import { isLocalIssuer } from './issuer.js';
import { section, records, text } from './setting.js';
import {
  AdminSettings,
  CimdSettings,
  ClientCredentialsSettings,
  DcrSettings,
  DpopSettings,
  OAuthSettings,
  RateLimitSettings,
  SessionSettings,
  TokenExchangeSettings,
  XaaSettings,
} from './protocol-settings.js';
import {
  DataEncryptionSettings,
  PagesSettings,
  RedisSettings,
  ServerSettings,
  RetentionSettings,
  SecretReminderSettings,
  StorageSettings,
} from './server-settings.js';
import { ObservabilitySettings } from './observability-settings.js';
import { OidcSettings } from './oidc-settings.js';
import { ProviderSeed, SingleProviderSettings } from './provider-seed.js';
import { ResourceSeed, SingleResourceSettings } from './resource-seed.js';
import { SigningSettings } from './signing-settings.js';
import { WebhookSettings } from './webhook-settings.js';
import type { SecretReferences } from './secret-references.js';

/**
 * Everything an operator can set: read once at boot, checked as a whole, frozen, injected.
 *
 * Durations are numbers of seconds and say so in their names. Paths are absolute. Text that is not set is undefined, except
 * secrets of its own, which are '' then. Secrets are not enumerable, so that no log line shows them by printing their section.
 */
export class Config {
  @section('server', () => ServerSettings, 'The listeners and the name under which the world knows this server.')
  readonly server: ServerSettings;

  @section('storage', () => StorageSettings, 'Where everything durable lies.')
  readonly storage: StorageSettings;

  @section('redis', () => RedisSettings, 'Makes several replicas fast; correctness does not need it.')
  readonly redis: RedisSettings;

  @section('signing', () => SigningSettings, 'The keys that access tokens are signed with.')
  readonly signing: SigningSettings;

  @section('dcr', () => DcrSettings, 'Dynamic client registration (RFC 7591), and the lifetimes of tokens.')
  readonly dcr: DcrSettings;

  @section('cimd', () => CimdSettings, 'Clients whose id is the URL of their metadata document.')
  readonly cimd: CimdSettings;

  @section('session', () => SessionSettings, 'The signed-in browser.')
  readonly session: SessionSettings;

  @section('rate_limit', () => RateLimitSettings, 'How much one client or address may ask for.')
  readonly rateLimit: RateLimitSettings;

  @section('admin', () => AdminSettings, "The operator's listener.")
  readonly admin: AdminSettings;

  @section('oauth', () => OAuthSettings, 'What authorization requests and refreshes may do.')
  readonly oauth: OAuthSettings;

  @section('client_credentials', () => ClientCredentialsSettings, 'Tokens for a client itself.')
  readonly clientCredentials: ClientCredentialsSettings;

  @section('dpop', () => DpopSettings, 'Tokens that are bound to a key of the client (RFC 9449).')
  readonly dpop: DpopSettings;

  @section('token_exchange', () => TokenExchangeSettings, 'Tokens for one resource given for tokens of another.')
  readonly tokenExchange: TokenExchangeSettings;

  @section('xaa', () => XaaSettings, 'Tokens given for assertions of identity providers that operators trust.')
  readonly xaa: XaaSettings;
  @section('oidc', () => OidcSettings, "Signing in at the company's identity provider.")
  readonly oidc: OidcSettings;

  @section('connect', () => ConnectSettings, "Connecting people's accounts at upstream providers.")
  readonly connect: ConnectSettings;

  @section('data_encryption', () => DataEncryptionSettings, 'Encryption at rest.')
  readonly dataEncryption: DataEncryptionSettings;

  @section(
    'retention',
    () => RetentionSettings,
    'How long records are kept. Whether a token is valid depends on none of it.',
  )
  readonly retention: RetentionSettings;

  @section('secret_reminders', () => SecretReminderSettings, 'Of secrets that will end.')
  readonly secretReminders: SecretReminderSettings;

  @section('observability', () => ObservabilitySettings, 'What the server says about itself.')
  readonly observability: ObservabilitySettings;

  @section('pages', () => PagesSettings, 'How the pages that people see are dressed.')
  readonly pages: PagesSettings;

  @records(
    'resources',
    () => ResourceSeed,
    'Resources created at boot unless their slug exists; later edits do not spread.',
  )
  readonly resources: readonly ResourceSeed[];

  @section('resource', () => SingleResourceSettings, 'One more resource, for whoever configures by environment alone.')
  readonly resource: SingleResourceSettings;

  @records(
    'broker_providers',
    () => ProviderSeed,
    'Upstream providers created at boot unless their slug exists; later edits do not spread. They need data_encryption.',
  )
  readonly brokerProviders: readonly ProviderSeed[];

  @section(
    'broker_provider',
    () => SingleProviderSettings,
    'One more provider, for whoever configures by environment alone.',
  )
  readonly brokerProvider: SingleProviderSettings;

  @records(
    'webhooks',
    () => WebhookSettings,
    'Who is told of revocations and the like, by signed requests (docs/guides/webhooks.md).',
  )
  readonly webhooks: readonly WebhookSettings[];

  @text('client_secret_pepper', {
    default: '',
    secret: true,
    about: 'When set, client secrets are stored as HMAC under it; changing it invalidates the secrets stored before.',
  })
  readonly clientSecretPepper: string;

  @text('data_dir', {
    default: 'data',
    about: 'Where generated secrets, keys and the embedded database lie.',
  })
  readonly dataDir: string;

  /** Secrets that rows name. Not enumerable. */
  readonly secretReferences: SecretReferences;

  /** True iff the issuer's host is exactly localhost, 127.0.0.1 or [::1] (P14). */
  get isLocal(): boolean {
    return isLocalIssuer(this.server.issuer);
  }

  /** The issuer as a URL. Its path, if any, stands before every public route. */
  get issuerUrl(): URL {
    return new URL(this.server.issuer);
  }
}
