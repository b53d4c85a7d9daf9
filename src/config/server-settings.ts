import { IsHexColor } from 'class-validator';
import {
  Each,
  IsCidr,
  IsDays,
  IsDsn,
  IsHttpsOrPathUrl,
  IsHttpUrl,
  IsIssuer,
  IsListenAddress,
  IsOrigin,
  IsRedisUrl,
  IsVaultKeyName,
  IsVaultPath,
} from './setting-checks.js';
import { boolean, duration, integer, list, section, text } from './setting.js';

export class ServerSettings {
  @text('address', {
    defaultText: '`:9000`; on a localhost issuer `127.0.0.1:9000`',
    about:
      'Where the public listener binds, host:port. Without a host: every interface, or 127.0.0.1 when the issuer is on localhost.',
  })
  @IsListenAddress()
  readonly address: string;

  @text('issuer', {
    default: 'http://localhost:9000',
    about:
      'The URL of this server as clients see it. https, except on localhost; no query, fragment or trailing slash.',
  })
  @IsIssuer()
  readonly issuer: string;

  @text('role', {
    default: 'all',
    oneOf: ['all', 'server', 'worker'],
    about:
      'server: answers, and does no jobs; worker: does jobs, and answers on the administration listener alone; all: both.',
  })
  readonly role: 'all' | 'server' | 'worker';

  @integer('workers', {
    default: 1,
    min: 1,
    max: 64,
    about: 'How many processes of this machine share the listeners and the work. One that dies is replaced.',
  })
  readonly workers: number;

  @list('allowed_origins', { about: 'Exact origins that may call the admin listener from a browser.' })
  @Each(IsOrigin())
  readonly allowedOrigins: readonly string[];

  @list('trusted_proxies', { about: 'CIDRs of reverse proxies; only then X-Forwarded-For is read.' })
  @Each(IsCidr())
  readonly trustedProxies: readonly string[];

  @duration('shutdown_wait', {
    default: '10s',
    max: '10m',
    about: 'How long requests in flight may take after SIGTERM.',
  })
  readonly shutdownWaitSeconds: number;

  @duration('read_timeout', {
    default: '30s',
    min: '1s',
    max: '10m',
    about: 'How long a client may take to send a request.',
  })
  readonly readTimeoutSeconds: number;

  @duration('idle_timeout', {
    default: '120s',
    min: '1s',
    max: '1h',
    about: 'How long an idle connection is kept open.',
  })
  readonly idleTimeoutSeconds: number;
}

export class EmbeddedSettings {
  @text('path', { defaultText: '`<data_dir>/postgres`', about: 'The data directory of the embedded PostgreSQL.' })
  readonly path: string;
}

export class PostgresSettings {
  @text('dsn', {
    secret: true,
    about:
      'postgres://user:password@host:5432/database?sslmode=verify-full. Several hosts, separated by commas: the one that can be written to is used.',
  })
  @IsDsn()
  readonly dsn?: string;

  @integer('max_conns', { default: 25, min: 2, max: 1000, about: 'Most connections per process.' })
  readonly maxConns: number;

  @integer('min_conns', { default: 5, min: 0, max: 1000, about: 'Connections kept open when idle.' })
  readonly minConns: number;

  @duration('max_conn_lifetime', {
    default: '1h',
    min: '10s',
    max: '24d',
    about: 'How old a connection may get before it is replaced.',
  })
  readonly maxConnLifetimeSeconds: number;

  @duration('max_conn_idle_time', {
    default: '30m',
    min: '1s',
    max: '24d',
    about: 'How long a connection beyond min_conns stays open when idle.',
  })
  readonly maxConnIdleTimeSeconds: number;
}

export class StorageSettings {
  @text('driver', {
    default: 'embedded',
    oneOf: ['embedded', 'postgres'],
    about: 'embedded: a PostgreSQL that this server starts itself; postgres: the one named by the DSN.',
  })
  readonly driver: 'embedded' | 'postgres';

  @section('embedded', () => EmbeddedSettings, 'storage.driver embedded.')
  readonly embedded: EmbeddedSettings;

  @section('postgres', () => PostgresSettings, 'storage.driver postgres.')
  readonly postgres: PostgresSettings;
}

export class RedisSettings {
  @text('url', { secret: true, about: 'redis:// or rediss://. Wanted as soon as there is more than one replica.' })
  @IsRedisUrl()
  readonly url?: string;

  @list('sentinels', {
    about: 'host:port of each sentinel, in place of url: whom they name is used, also after a failover.',
  })
  @Each(IsListenAddress())
  readonly sentinels: readonly string[];

  @text('sentinel_name', { default: 'mymaster', about: 'What the sentinels call the primary.' })
  readonly sentinelName: string;

  @text('sentinel_password', { secret: true, about: 'Of the sentinels, where they ask for one.' })
  readonly sentinelPassword?: string;

  @list('cluster_nodes', {
    about: 'host:port of some nodes of a Redis Cluster, in place of url: they name the others.',
  })
  @Each(IsListenAddress())
  readonly clusterNodes: readonly string[];

  @text('username', { about: 'With sentinels or cluster_nodes; a URL has its own.' })
  readonly username?: string;

  @text('password', { secret: true, about: 'With sentinels or cluster_nodes; a URL has its own.' })
  readonly password?: string;

  @boolean('tls', {
    default: false,
    about: 'With sentinels or cluster_nodes: TLS to all of them, as rediss:// does for one.',
  })
  readonly tls: boolean;

  /** Whether there is one at all. */
  get isSet(): boolean {
    return Boolean(this.url) || this.sentinels.length > 0 || this.clusterNodes.length > 0;
  }
}

export class RetentionSettings {
  @integer('issuance_days', {
    default: 90,
    min: 2,
    max: 36_500,
    about: 'Days for which issued tokens and codes stay on record.',
  })
  readonly issuanceDays: number;

  @integer('audit_days', {
    default: 0,
    min: 0,
    max: 36_500,
    about: 'Days for which audit events are kept; 0: for ever.',
  })
  readonly auditDays: number;

  @integer('refusal_days', {
    default: 0,
    min: 0,
    max: 36_500,
    about:
      'Days for which audit events of what was refused are kept (actions that end in denied or failed); 0: as long as the others.',
  })
  readonly refusalDays: number;
}

export class SecretReminderSettings {
  @list('before', {
    default: ['30d', '7d', '1d'],
    about:
      "How long before a client's secret ends the operator is reminded of it, in the audit, the log and by webhooks.",
  })
  @Each(IsDays())
  readonly before: readonly string[];
}

export class AesMasterSettings {
  @text('key_env', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_KEY_ENV',
    about: 'Name of the environment variable that holds the master key, 64 hex characters (openssl rand -hex 32).',
  })
  readonly keyEnv?: string;

  @text('old_key_env', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_OLD_KEY_ENV',
    about: 'Name of the variable with the former master key: it opens, and never seals.',
  })
  readonly oldKeyEnv?: string;
}

export class VaultAppRoleSettings {
  @text('role_id_env', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_ROLE_ID_ENV',
    about: 'Name of the environment variable that holds the role id.',
  })
  readonly roleIdEnv?: string;

  @text('secret_id_env', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_SECRET_ID_ENV',
    about: 'Name of the environment variable that holds the secret id.',
  })
  readonly secretIdEnv?: string;

  @text('mount_path', {
    default: 'approle',
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_APPROLE_MOUNT_PATH',
    about: 'Where the AppRole method is mounted, below auth/.',
  })
  @IsVaultPath()
  readonly mountPath: string;
}

export class VaultTransitEncryptSettings {
  @text('address', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_ADDRESS',
    about:
      'URL of HashiCorp Vault or OpenBao: https, or http when the issuer is on localhost. No redirect is followed.',
  })
  @IsHttpUrl()
  readonly address?: string;

  @text('namespace', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_NAMESPACE',
    about:
      'Of Vault Enterprise, HCP Vault or OpenBao, such as team/identity: logins and keys are below it. Unset: none is named.',
  })
  @IsVaultPath()
  readonly namespace?: string;

  @text('mount_path', {
    default: 'transit',
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_MOUNT_PATH',
    about: 'Where the Transit engine is mounted.',
  })
  @IsVaultPath()
  readonly mountPath: string;

  @text('key_name', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_KEY_NAME',
    about: 'The Transit key, of the type aes256-gcm96 or chacha20-poly1305.',
  })
  @IsVaultKeyName()
  readonly keyName?: string;

  @text('auth_method', {
    defaultText: '`token`',
    oneOf: ['token', 'approle'],
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_AUTH_METHOD',
    about: 'token: a token from the environment, renewed while it is renewable; approle: a login that is repeated.',
  })
  readonly authMethod?: 'token' | 'approle';

  @text('token_env', {
    env: 'AUTHPLANE_DATA_ENCRYPTION_VAULT_TOKEN_ENV',
    about: 'Name of the environment variable that holds the token.',
  })
  readonly tokenEnv?: string;

  @section('approle', () => VaultAppRoleSettings, 'auth_method approle.')
  readonly approle: VaultAppRoleSettings;

  /** Read from the variables that are named above; not enumerable. */
  readonly credentials?: VaultCredentials;
}

export type VaultCredentials = { readonly token: string } | { readonly roleId: string; readonly secretId: string };

export class DataEncryptionSettings {
  @text('driver', {
    oneOf: ['aes_master', 'vault_transit_encrypt'],
    about:
      'aes_master: AES-256-GCM under keys derived from a master key; vault_transit_encrypt: by HashiCorp Vault or OpenBao. Unset: off. What the other one sealed opens for as long as it stays configured.',
  })
  readonly driver?: 'aes_master' | 'vault_transit_encrypt';

  @section('aes_master', () => AesMasterSettings, 'data_encryption.driver aes_master.')
  readonly aesMaster: AesMasterSettings;

  @section('vault_transit_encrypt', () => VaultTransitEncryptSettings, 'data_encryption.driver vault_transit_encrypt.')
  readonly vaultTransitEncrypt: VaultTransitEncryptSettings;

  /** 64 hex characters, read from the variable that `key_env` names; not enumerable. */
  readonly masterKey?: string;

  /** 64 hex characters, read from the variable that `old_key_env` names; not enumerable. */
  readonly oldMasterKey?: string;
}

export class PagesSettings {
  @text('name', { default: 'AuthPlane', about: 'The name at the head of every page.' })
  readonly name: string;

  @text('logo_url', { about: 'An https URL, or a path on this server.' })
  @IsHttpsOrPathUrl()
  readonly logoUrl?: string;

  @text('color', { about: 'Accent colour, such as #0b57d0.' })
  @IsHexColor({ message: 'must be a hex colour such as #0b57d0' })
  readonly color?: string;
}
