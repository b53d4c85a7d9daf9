import { grantType, OAuthError } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { AuthorizationCodeGrant } from './authorization-code.grant.js';
import type { Grant } from './grant.js';
import { RefreshTokenGrant } from './refresh-token.grant.js';

/** Every grant this server has. Providers, dispatch and `grant_types_supported` derive from this list. */
export const GRANTS = [AuthorizationCodeGrant, RefreshTokenGrant] as const;

/** Grants that exist only where the operator switches them on. */
const SWITCHED_BY: ReadonlyMap<string, string> = new Map([
  [grantType.clientCredentials, 'client_credentials.enabled'],
  [grantType.tokenExchange, 'token_exchange.enabled'],
  [grantType.jwtBearer, 'xaa.enabled'],
]);

/** The last part of a URN: `token-exchange`. */
const nameOf = (type: string): string => type.slice(type.lastIndexOf(':') + 1);

export class Grants {
  readonly #byType: ReadonlyMap<string, Grant>;

  constructor(...grants: Grant[]) {
    this.#byType = new Map(grants.map((grant) => [grant.type, grant]));
  }

  get types(): string[] {
    return [...this.#byType.keys()];
  }

  /**
   * The grant that a request names, if `client` is registered for it.
   *
   * @throws OAuthError `unsupported_grant_type`, `unauthorized_client`
   */
  of(type: string, client: Client): Grant {
    const grant = this.#byType.get(type);
    const facts = { clientId: client.id, received: type };
    const setting = grant ? undefined : SWITCHED_BY.get(type);
    if (setting)
      throw new OAuthError('grant-disabled', 'grant_disabled', { fill: { grant: nameOf(type), setting }, facts });
    if (!grant) throw new OAuthError('grant-unknown', 'grant_unknown', { facts });
    if (!client.grantTypes.includes(type)) {
      throw new OAuthError('grant-not-registered', 'grant_not_registered', { fill: { grant: type }, facts });
    }
    return grant;
  }
}
