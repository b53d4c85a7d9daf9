import type { DataEncryptionSettings, VaultCredentials } from './server-settings.js';
import type { Environment } from './settings-reader.js';

const section = 'data_encryption.vault_transit_encrypt';

/**
 * Reads from the variables that are named there what this server shows to Vault. With another driver Vault is wanted only where it has an
 * address: it opens what it sealed before.
 *
 * @returns what is wrong
 */
export function resolveVaultCredentials(
  { driver, vaultTransitEncrypt }: DataEncryptionSettings,
  env: Environment,
): string[] {
  const { address, keyName, authMethod, tokenEnv, approle } = vaultTransitEncrypt;
  if (driver === undefined || (driver !== 'vault_transit_encrypt' && !address)) return [];
  const problems: string[] = [];
  const read = (key: string, variable: string | undefined, setting: string): string => {
    const value = variable === undefined ? undefined : env[variable];
    if (variable === undefined)
      problems.push(`${section}: missing ${key}: set ${setting} to the name of the variable that holds it`);
    else if (!value) problems.push(`${section}: missing ${key}: the variable ${variable} is not set`);
    else if (!/^[\x21-\x7e]{1,4096}$/.test(value))
      problems.push(`${section}.${key}: the variable ${variable} must hold printable characters without spaces`);
    return value ?? '';
  };
  if (!address) problems.push(`${section}: missing address: set AUTHPLANE_DATA_ENCRYPTION_VAULT_ADDRESS`);
  if (!keyName) problems.push(`${section}: missing key_name: set AUTHPLANE_DATA_ENCRYPTION_VAULT_KEY_NAME`);
  const credentials: VaultCredentials =
    authMethod === 'approle'
      ? {
          roleId: read('approle.role_id_env', approle.roleIdEnv, 'AUTHPLANE_DATA_ENCRYPTION_VAULT_ROLE_ID_ENV'),
          secretId: read('approle.secret_id_env', approle.secretIdEnv, 'AUTHPLANE_DATA_ENCRYPTION_VAULT_SECRET_ID_ENV'),
        }
      : { token: read('token_env', tokenEnv, 'AUTHPLANE_DATA_ENCRYPTION_VAULT_TOKEN_ENV') };
  Object.defineProperty(vaultTransitEncrypt, 'credentials', { value: Object.freeze(credentials), enumerable: false });
  return problems;
}
