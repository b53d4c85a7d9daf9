import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Environment } from './settings-reader.js';
import type { WebhookSettings } from './webhook-settings.js';

const SECRET = /^whsec_([A-Za-z0-9+/]{32,86}={0,2})$/;
const ADVICE = 'generate one with: echo "whsec_$(openssl rand -base64 32)"';

/**
 * Reads the secrets that webhooks are signed with (Standard Webhooks).
 *
 * @returns what is wrong
 */
export function resolveWebhookSecrets(
  webhooks: readonly WebhookSettings[],
  env: Environment,
  cwd: string,
): readonly string[] {
  return webhooks.flatMap((webhook, index) => {
    const at = `webhooks[${index}]`;
    const { secretEnv, secretFile } = webhook;
    if ((secretEnv === undefined) === (secretFile === undefined)) return [`${at} needs one of secret_env, secret_file`];
    const written = secretEnv === undefined ? fileOf(resolve(cwd, secretFile ?? '')) : env[secretEnv];
    const where = secretEnv === undefined ? `the file ${secretFile}` : `the variable ${secretEnv}`;
    if (!written) return [`${at}: ${where} is not there, or empty; ${ADVICE}`];
    const secrets = written.trim().split(/\s+/).map(secretOf);
    const isRight = (secret: Buffer | undefined): secret is Buffer =>
      secret !== undefined && secret.length >= 24 && secret.length <= 64;
    if (secrets.length > 2 || !secrets.every(isRight))
      return [`${at}: ${where} must hold whsec_ and 24 to 64 bytes in base64, or two of these; ${ADVICE}`];
    Object.defineProperty(webhook, 'secrets', { value: Object.freeze(secrets), enumerable: false });
    return [];
  });
}

function secretOf(written: string): Buffer | undefined {
  const base64 = SECRET.exec(written)?.[1];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64');
}

function fileOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
