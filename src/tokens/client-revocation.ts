import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import type { Client } from '../clients/client.js';
import { SigningKeys } from '../keys/signing-keys.js';
import { isUuid } from '../platform/uuid7.js';
import { RefreshTokens } from './refresh-tokens.js';
import { TokenRevoker } from './token-revoker.js';

/**
 * What a client may take back (W41): of an access token that one token, of a refresh token its whole family. A token that is not its
 * own is left alone, and the client is not told so.
 */
@Injectable()
export class ClientRevocation {
  constructor(
    private readonly refreshTokens: RefreshTokens,
    private readonly revoker: TokenRevoker,
    private readonly keys: SigningKeys,
    private readonly audit: AuditLog,
  ) {}

  async revoke(token: string, client: Client): Promise<void> {
    if (token.startsWith('ap_rt_')) return this.#refreshToken(token, client);
    return this.#accessToken(token, client);
  }

  async #refreshToken(token: string, client: Client): Promise<void> {
    const found = await this.refreshTokens.lookUp(token);
    if (!found) return this.#nothing('unknown_token', client);
    if (found.family.clientId !== client.id) return this.#nothing('token_of_another_client', client);
    const { id: family, userId } = found.family;
    const fact = { action: 'token.revoked', actorId: userId, clientId: client.id, detail: { family } };
    return this.revoker.endFamily(family, 'explicit', fact);
  }

  async #accessToken(token: string, client: Client): Promise<void> {
    const claims = await this.keys.verifyOwn(token, 'at+jwt');
    if (!claims?.jti || !isUuid(claims.jti) || !claims.exp) return this.#nothing('unknown_token', client);
    if (claims.client_id !== client.id) return this.#nothing('token_of_another_client', client);
    const fact = { action: 'token.revoked', actorId: claims.sub, clientId: client.id, detail: { jti: claims.jti } };
    return this.revoker.endToken(claims.jti, 'explicit', new Date(claims.exp * 1000), fact);
  }

  #nothing(reason: string, client: Client): Promise<void> {
    return this.audit.refused({ action: 'token.revoke_denied', reason, clientId: client.id });
  }
}
