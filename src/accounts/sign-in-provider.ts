import type { OidcMembers } from '../config/stored-oidc-provider.js';

/** An identity provider that an operator added while the server runs. */
export interface SignInProvider {
  readonly id: string;
  /** In its callback `/oidc/{slug}/callback`; never another one. */
  readonly slug: string;
  /** As one of `oidc.providers`, without slug and secret. */
  readonly settings: OidcMembers;
  readonly sealedSecret?: string;
  /** Nobody signs in at one that is not. */
  readonly enabled: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}
