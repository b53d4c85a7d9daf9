import { IsHeaderText, IsHttpUrl, IsVaultKeyName, IsVaultPath } from './setting-checks.js';
import { duration, section, text } from './setting.js';

export type SigningAlgorithm = 'ES256' | 'RS256' | 'EdDSA';

export class VaultSigningAppRoleSettings {
  @text('role_id', {
    secret: true,
    env: 'AUTHPLANE_VAULT_APPROLE_ROLE_ID',
    about: 'The role id, in place of a token.',
  })
  @IsHeaderText()
  readonly roleId?: string;

  @text('secret_id', { secret: true, env: 'AUTHPLANE_VAULT_APPROLE_SECRET_ID', about: 'The secret id beside it.' })
  @IsHeaderText()
  readonly secretId?: string;

  @text('mount', {
    default: 'approle',
    env: 'AUTHPLANE_VAULT_APPROLE_MOUNT',
    about: 'Where the AppRole method is mounted, below auth/.',
  })
  @IsVaultPath()
  readonly mount: string;
}

export class VaultTransitSigningSettings {
  @text('address', {
    env: 'AUTHPLANE_VAULT_ADDR',
    about:
      'URL of HashiCorp Vault or OpenBao: https, or http when the issuer is on localhost. No redirect is followed. Set, it signs with keys of before, whatever key_store is.',
  })
  @IsHttpUrl()
  readonly address?: string;

  @text('namespace', {
    env: 'AUTHPLANE_VAULT_NAMESPACE',
    about:
      'Of Vault Enterprise, HCP Vault or OpenBao, such as team/identity: logins and keys are below it. Unset: none is named.',
  })
  @IsVaultPath()
  readonly namespace?: string;

  @text('mount', {
    default: 'transit',
    env: 'AUTHPLANE_VAULT_TRANSIT_MOUNT',
    about: 'Where the Transit engine is mounted.',
  })
  @IsVaultPath()
  readonly mount: string;

  @text('key_name', {
    default: 'authserver-signing',
    env: 'AUTHPLANE_VAULT_TRANSIT_KEY_NAME',
    about:
      'The Transit key: ecdsa-p256 for ES256; rsa-2048, rsa-3072 or rsa-4096 for RS256; ed25519 for EdDSA. It is not made here, only rotated.',
  })
  @IsVaultKeyName()
  readonly keyName: string;

  @duration('timeout', {
    default: '10s',
    min: '1s',
    max: '60s',
    env: 'AUTHPLANE_VAULT_TIMEOUT',
    about: 'How long one answer may take.',
  })
  readonly timeoutSeconds: number;

  @text('token', {
    secret: true,
    env: 'AUTHPLANE_VAULT_TOKEN',
    about: 'A token, renewed while it is renewable; in its place approle.',
  })
  @IsHeaderText()
  readonly token?: string;

  @section('approle', () => VaultSigningAppRoleSettings, 'A login that is repeated, in place of a token.')
  readonly approle: VaultSigningAppRoleSettings;
}

export class SigningSettings {
  @text('algorithm', {
    default: 'ES256',
    oneOf: ['ES256', 'RS256', 'EdDSA'],
    about: 'Of the next key that is made. After a change: restart, then rotate.',
  })
  readonly algorithm: SigningAlgorithm;

  @text('key_store', {
    default: 'keyfile',
    oneOf: ['keyfile', 'postgres_key', 'vault_transit'],
    about:
      'Where the next key is made. keyfile: PEM files below key_path, for one machine; postgres_key: sealed rows, for replicas, needs data_encryption; vault_transit: in Vault or OpenBao, which signs, for replicas. After a change: restart, then rotate; a key of before signs until then, from where it lies.',
  })
  readonly keyStore: 'keyfile' | 'postgres_key' | 'vault_transit';

  @duration('rotation_interval', {
    default: '90d',
    min: '0',
    max: '365d',
    about:
      'How long a key signs before the next one is made by itself, which is published ten minutes before it signs; 0: never by itself.',
  })
  readonly rotationIntervalSeconds: number;

  @text('key_path', { defaultText: '`<data_dir>/keys`', about: 'Directory of the key files.' })
  readonly keyPath: string;

  @section('vault_transit', () => VaultTransitSigningSettings, 'signing.key_store vault_transit.')
  readonly vaultTransit: VaultTransitSigningSettings;
}
