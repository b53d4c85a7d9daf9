import type { KeyView } from '../keys/signing-keys.js';
import { IsText, MayBeAbsent } from './member-checks.js';

export class RotateKey {
  /** Publish the new key now and sign with it after this long, as `10m`; at once when absent. */
  @MayBeAbsent()
  @IsText(40)
  activate_after?: string;
}

export const toKeyView = (key: KeyView) => ({
  kid: key.kid,
  alg: key.alg,
  use: 'sig',
  status: key.status,
  created_at: key.createdAt.toISOString(),
  activates_at: key.activatesAt.toISOString(),
  retired_at: key.retiredAt?.toISOString(),
  published_until: key.publishedUntil?.toISOString(),
  revoked_at: key.revokedAt?.toISOString(),
});
