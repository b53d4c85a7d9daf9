import { UpstreamAway, UpstreamMisconfigured } from '../upstream-errors.js';
import type { UpstreamJson } from './upstream-answer.js';

/** A token answer of upstream (RFC 6749 §5.1), of which every member was checked. */
export interface TokenAnswer {
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly expiresInSeconds?: number;
  readonly scopes?: readonly string[];
}

const MAX_TOKEN = 16 * 1024;
const MAX_SCOPES = 500;
const MAX_LIFETIME = 10 * 365 * 24 * 3600;

/**
 * What does not read as it should is nonsense, and since upstream has acted by then, its outcome is unknown. Only a lifetime that is
 * no number is passed over: the token is not kept then.
 *
 * @throws UpstreamAway, UpstreamMisconfigured
 */
export function readTokenAnswer(json: UpstreamJson, scopeSeparator: string, wrapped?: 'slack'): TokenAnswer {
  const answer = wrapped === 'slack' ? unwrapped(json) : json;
  if (!wrapped) requireBearer(answer.token_type);
  return {
    accessToken: tokenOf(answer.access_token) ?? nonsense(),
    refreshToken: tokenOf(answer.refresh_token),
    expiresInSeconds: lifetimeOf(answer.expires_in),
    scopes: scopesOf(answer.scope, scopeSeparator),
  };
}

/** Slack puts the person's token beside the app's; a refresh answers with the token alone. */
function unwrapped(json: UpstreamJson): UpstreamJson {
  const user = json.authed_user;
  return typeof user === 'object' && user !== null && 'access_token' in user ? (user as UpstreamJson) : json;
}

/** A token that must be proven (DPoP, MAC) cannot be handed on as a bearer. */
function requireBearer(type: unknown): void {
  if (type === undefined) return;
  if (typeof type !== 'string') nonsense();
  if (String(type).toLowerCase() !== 'bearer') throw new UpstreamMisconfigured('token_type_not_bearer', true);
}

function tokenOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' && value.length <= MAX_TOKEN && /^[\x21-\x7e]+$/.test(value) ? value : nonsense();
}

function lifetimeOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) return undefined;
  return Math.min(Math.floor(seconds), MAX_LIFETIME);
}

function scopesOf(value: unknown, separator: string): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const words = typeof value === 'string' ? value.split(separator) : value;
  if (!Array.isArray(words) || words.length > MAX_SCOPES || !words.every((word) => typeof word === 'string'))
    nonsense();
  const trimmed = (words as string[]).map((word) => word.trim()).filter((word) => word !== '');
  return trimmed.every((word) => /^[\x21-\x7e]{1,1024}$/.test(word)) ? [...new Set(trimmed)] : nonsense();
}

function nonsense(): never {
  throw new UpstreamAway('nonsense', true);
}
