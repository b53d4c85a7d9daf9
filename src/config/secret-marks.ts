import { hkdfSync } from 'node:crypto';
import type { Config } from './config.js';

/**
 * Marks of the secrets that rows of the database were made with, by the names of their settings: four bytes each, which tell whether two
 * configurations hold the same secret, and are too few to find out a secret by.
 */
export function secretMarks({ session, clientSecretPepper, dataEncryption }: Config): Record<string, string> {
  const secrets = {
    'session.secret': session.secret,
    client_secret_pepper: clientSecretPepper,
    'data_encryption.aes_master.key_env': dataEncryption.driver === 'aes_master' ? dataEncryption.masterKey : '',
    'data_encryption.aes_master.old_key_env': dataEncryption.oldMasterKey,
  };
  const given = Object.entries(secrets).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return Object.fromEntries(given.map(([setting, secret]) => [setting, markOf(secret)]));
}

const markOf = (secret: string): string =>
  Buffer.from(hkdfSync('sha256', secret, '', 'authplane secret mark', 4)).toString('hex');
