import { IsBoolean, IsIn, MinLength } from 'class-validator';
import type { IdpChange, IdpDraft } from '../xaa/trusted-idps.js';
import type { TrustedIdp } from '../xaa/trust.js';
import { IsText, MayBeAbsent, MayBeNull } from './member-checks.js';

const kinds = ['id_jag', 'workload'];
const replays = ['single_use', 'reusable_until_exp'];

class IdpMembers {
  /** Absent or null: found by discovery. */
  @MayBeNull()
  @IsText(2048)
  jwks_uri?: string | null;

  /** Absent or null: our issuer. */
  @MayBeNull()
  @IsText(2048)
  audience?: string | null;

  /** Whether an assertion works once. */
  @MayBeAbsent()
  @IsIn(replays)
  replay?: TrustedIdp['replay'];
}

export class CreateIdp extends IdpMembers {
  @IsText(200)
  @MinLength(1)
  name: string;

  /** As in `iss`, byte for byte. */
  @IsText(200)
  @MinLength(1)
  issuer: string;

  @MayBeAbsent()
  @IsIn(kinds)
  kind?: TrustedIdp['kind'];
}

export class UpdateIdp extends IdpMembers {
  @MayBeAbsent()
  @IsText(200)
  @MinLength(1)
  name?: string;

  @MayBeAbsent()
  @IsBoolean()
  enabled?: boolean;
}

export const toIdpDraft = ({ name, issuer, kind, jwks_uri, audience, replay }: CreateIdp): IdpDraft => ({
  name,
  issuer,
  kind,
  replay,
  jwksUri: jwks_uri ?? undefined,
  audience: audience ?? undefined,
});

export const toIdpChange = ({ name, enabled, jwks_uri, audience, replay }: UpdateIdp): IdpChange => ({
  name,
  enabled,
  replay,
  jwksUri: jwks_uri,
  audience,
});

/** @param audience what counts where none is set */
export const toIdpView = (idp: TrustedIdp, audience: string) => ({
  id: idp.id,
  name: idp.name,
  issuer: idp.issuer,
  kind: idp.kind,
  jwks_uri: idp.jwksUri,
  audience: idp.audience ?? audience,
  enabled: idp.enabled,
  replay: idp.replay,
  created_at: idp.createdAt.toISOString(),
  updated_at: idp.updatedAt.toISOString(),
});
