import { MinLength } from 'class-validator';
import type { Identity } from '../accounts/identities.js';
import { IsText } from './member-checks.js';

/** Who somebody is at an identity provider. */
export class IdentityName {
  /** Byte for byte as in its tokens. */
  @IsText(2048)
  @MinLength(1)
  issuer: string;

  @IsText(255)
  @MinLength(1)
  subject: string;
}

export const toIdentityView = (identity: Identity) => ({
  issuer: identity.issuer,
  subject: identity.subject,
  created_at: identity.createdAt.toISOString(),
  provider: identity.provider ?? null,
  groups: identity.groups ?? null,
  checked_at: identity.checkedAt?.toISOString() ?? null,
  refused_at: identity.refusedAt?.toISOString() ?? null,
});
