import { grantName, OAuthError } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { AuthorizationCodeGrant } from './authorization-code.grant.js';
import { ClientCredentialsGrant } from './client-credentials.grant.js';
import type { Grant } from './grant.js';
import { JwtBearerGrant } from './jwt-bearer.grant.js';
import { RefreshTokenGrant } from './refresh-token.grant.js';
import { TokenExchangeGrant } from './token-exchange.grant.js';

/** Every grant this server has. Providers, dispatch and `grant_types_supported` derive from this list. */
export const GRANTS = [
  AuthorizationCodeGrant,
  RefreshTokenGrant,
  ClientCredentialsGrant,
  TokenExchangeGrant,
  JwtBearerGrant,
] as const;

function disabled(
  type: string,
  setting: string,
  facts: Readonly<Record<string, unknown>>,
): OAuthError<'grant-disabled'> {
  return new OAuthError('grant-disabled', 'grant_disabled', { fill: { grant: grantName(type), setting }, facts });
}

export class Grants {
  readonly #byType: ReadonlyMap<string, Grant>;

  constructor(...grants: Grant[]) {
    this.#byType = new Map(grants.map((grant) => [grant.type, grant]));
  }

  /** Those that are switched on. */
  get types(): string[] {
    return [...this.#byType.values()].filter(({ switchedBy }) => switchedBy?.on ?? true).map(({ type }) => type);
  }

  /**
   * The grant that a request names, if `client` is registered for it.
   *
   * @throws OAuthError `unsupported_grant_type`, `unauthorized_client`
   */
  of(type: string, client: Client): Grant {
    const grant = this.#byType.get(type);
    const facts = { clientId: client.id, received: type };
    if (!grant) throw new OAuthError('grant-unknown', 'grant_unknown', { facts });
    if (grant.switchedBy && !grant.switchedBy.on) throw disabled(type, grant.switchedBy.setting, facts);
    if (!client.grantTypes.includes(type)) {
      throw new OAuthError('grant-not-registered', 'grant_not_registered', { fill: { grant: type }, facts });
    }
    return grant;
  }
}
