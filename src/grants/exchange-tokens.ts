import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { requireKey, type Proof } from '../dpop/dpop-verifier.js';
import { AccessTokenReader, type AccessToken, type TokenEnd } from '../tokens/access-token-reader.js';

import { keyOf } from './subject-binding.js';

const REASONS = {
  expired: 'subject_expired',
  revoked: 'subject_revoked',
  client_inactive: 'subject_client_inactive',
  subject_inactive: 'subject_user_disabled',
} as const satisfies Record<TokenEnd, string>;

/** Judges the tokens that an exchange brings along, as introspection would (RFC 8693 §2.1). */
@Injectable()
export class ExchangeTokens {
  constructor(private readonly accessTokens: AccessTokenReader) {}

  /** @throws OAuthError `subject-token-invalid` */
  async subject(token: string, acting: Client): Promise<AccessToken> {
    const read = await this.accessTokens.read(token);
    const facts = { clientId: acting.id, subject_client: read?.state.clientId, jti: read?.state.jti };
    if (!read) throw new OAuthError('subject-token-invalid', 'subject_signature', { facts });
    if (read.ended) throw new OAuthError('subject-token-invalid', REASONS[read.ended], { facts });
    return read;
  }

  /** It adds nothing to what client authentication proves; one that proves something else is refused (W8). */
  async requireActor(token: string, acting: Client, proof: Proof | undefined): Promise<void> {
    const read = await this.accessTokens.read(token);
    const facts = { clientId: acting.id, actor_token_client: read?.state.clientId };
    if (!read || read.ended) throw new OAuthError('actor-token-invalid', 'actor_invalid', { facts });
    if (read.state.clientId !== acting.id)
      throw new OAuthError('actor-token-invalid', 'actor_of_another_client', { facts });
    const jkt = keyOf(read.claims);
    if (jkt !== undefined) requireKey(proof, jkt, facts);
  }
}
