import { Injectable } from '@nestjs/common';
import { formatScope, jwtType } from '#libs/oauth';
import { Config } from '../config/config.js';
import { SigningKeys } from '../keys/signing-keys.js';
import { uuid7 } from '../platform/uuid7.js';
import type { ActorChain, Authorization } from './authorization.js';
import { issuanceOf, subjectOf, type IssuanceRow } from './token-rows.js';

/** An access token, and the row that stands for it. */
export interface SignedToken {
  readonly jwt: string;
  readonly issuance: IssuanceRow;
}

/** Turns an authorization into an access token. RFC 9068 */
@Injectable()
export class AccessTokenSigner {
  constructor(
    private readonly keys: SigningKeys,
    private readonly config: Config,
  ) {}

  async sign(authorization: Authorization, now: Date): Promise<SignedToken> {
    const { client, resource, scopes, spends, derivation, assertion, jkt } = authorization;
    const issuedAt = Math.floor(now.getTime() / 1000);
    const ownEnd = issuedAt + this.#ttlSeconds(authorization);
    const expiresAt = derivation ? Math.min(ownEnd, Math.floor(derivation.expiresAt.getTime() / 1000)) : ownEnd;
    const jti = uuid7(now);
    const { act = assertion?.act, agentChain = [] }: Partial<ActorChain> = derivation?.chain ?? {};
    const audience = resource?.uri ?? this.config.server.issuer;
    const agentId = client.agentConfirmed ? client.id : undefined;
    const claims = {
      iss: this.config.server.issuer,
      sub: subjectOf(authorization),
      aud: [audience],
      exp: expiresAt,
      iat: issuedAt,
      jti,
      client_id: client.id,
      scope: formatScope(scopes),
      ...(act ? { act } : {}),
      ...(agentId ? { agent_id: agentId } : {}),
      ...(jkt ? { cnf: { jkt } } : {}),
      ...(agentChain.length > 0 ? { agent_chain: agentChain } : {}),
      ...(assertion ? { idp: assertion.issuer } : {}),
      ...(derivation?.via ? { via: derivation.via } : {}),
    };
    const { jwt, kid } = await this.keys.sign({ typ: jwtType.accessToken }, claims);
    const issuance = issuanceOf(authorization, audience, {
      jti,
      kid,
      issuedAt: new Date(issuedAt * 1000),
      expiresAt: new Date(expiresAt * 1000),
      familyId: spends?.familyId ?? derivation?.familyId ?? null,
      dpopJkt: jkt ?? null,
    });
    return { jwt, issuance };
  }

  /** The resource's and the client's own limits, where set; the shorter wins (W53). */
  #ttlSeconds({ client, resource, person, derivation, assertion }: Authorization): number {
    const own = [client.accessTokenTtlSeconds, resource?.accessTokenTtlSeconds].filter((ttl) => ttl !== undefined);
    if (own.length > 0) return Math.min(...own);
    if (derivation) return this.config.tokenExchange.tokenExpirySeconds;
    if (assertion) return this.config.xaa.tokenExpirySeconds;
    return person ? this.config.dcr.defaultTokenExpirySeconds : this.config.clientCredentials.tokenExpirySeconds;
  }
}
