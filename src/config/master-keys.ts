import type { DataEncryptionSettings } from './server-settings.js';
import type { Environment } from './settings-reader.js';

/**
 * Reads the master keys from the variables that `key_env` and `old_key_env` name. With another driver a master key is wanted only where
 * one is named: it opens what it sealed before.
 *
 * @returns what is wrong
 */
export function resolveMasterKeys(settings: DataEncryptionSettings, env: Environment): string[] {
  const { keyEnv, oldKeyEnv } = settings.aesMaster;
  if (settings.driver === undefined || (settings.driver !== 'aes_master' && !keyEnv)) return [];
  const advice = 'generate one with "openssl rand -hex 32"';
  const problems: string[] = [];
  const resolveKey = (property: 'masterKey' | 'oldMasterKey', key: string, variable: string): void => {
    const value = env[variable];
    if (!value)
      problems.push(`data_encryption.aes_master: missing ${key}: the variable ${variable} is not set; ${advice}`);
    else if (!/^[0-9a-fA-F]{64}$/.test(value)) {
      problems.push(
        `data_encryption.aes_master.${key}: the variable ${variable} must hold exactly 64 hex characters; ${advice}`,
      );
    } else Object.defineProperty(settings, property, { value: value.toLowerCase(), enumerable: false });
  };
  if (keyEnv) resolveKey('masterKey', 'key_env', keyEnv);
  else {
    problems.push(
      'data_encryption.aes_master: missing key_env: set AUTHPLANE_DATA_ENCRYPTION_KEY_ENV to the name of the variable that holds the master key',
    );
  }
  if (oldKeyEnv) resolveKey('oldMasterKey', 'old_key_env', oldKeyEnv);
  return problems;
}
