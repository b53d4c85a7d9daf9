import { Injectable } from '@nestjs/common';
import { newBearerValue, OAuthError, readBearerValue, sameBytes } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { TokenRevoker } from './token-revoker.js';
import { TokenStore } from './token.store.js';
import type { CodeRow, NewCode } from './token-rows.js';

/** What a code is made for. */
export type CodeGrant = Pick<
  NewCode,
  'clientId' | 'userId' | 'resourceId' | 'consentId' | 'redirectUri' | 'scopes' | 'codeChallenge' | 'dpopJkt'
>;

/** A code as presented: its row, and the hash that must still be there when it is spent. */
export type PresentedCode = CodeRow & { readonly hash: Buffer };

/** Authorization codes: one use, ten minutes at most, only a hash is stored. RFC 6749 §4.1.2 */
@Injectable()
export class AuthorizationCodes {
  constructor(
    private readonly store: TokenStore,
    private readonly revoker: TokenRevoker,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** @returns the code to hand out */
  async create(tx: Transaction, grant: CodeGrant): Promise<string> {
    const createdAt = this.clock.now();
    const id = uuid7(createdAt);
    const { value, hash } = newBearerValue('ac', id);
    const expiresAt = new Date(createdAt.getTime() + this.config.oauth.codeTtlSeconds * 1000);
    await this.store.insertCode(tx, {
      ...grant,
      id,
      secretHash: hash,
      familyId: uuid7(createdAt),
      createdAt,
      expiresAt,
    });
    return value;
  }

  /**
   * The code that `client` presents, if it may still be spent.
   *
   * @param proves whether the request proves that it began the flow (its verifier fits the code)
   * @throws OAuthError `code-invalid`; a replay that proves itself has revoked the code's family before it throws (W15)
   */
  async present(value: string, clientId: string, proves: (code: CodeRow) => boolean): Promise<PresentedCode> {
    const read = readBearerValue('ac', value);
    const code = read && (await this.store.readCode(read.id));
    if (!read || !code || !sameBytes(code.secretHash, read.hash))
      throw new OAuthError('code-invalid', 'code_unknown', { facts: { clientId } });
    const facts = { clientId, owner: code.clientId, family: code.familyId };
    if (code.clientId !== clientId) throw new OAuthError('code-invalid', 'code_of_another_client', { facts });
    if (code.spentAt !== null) throw await this.#replayed(code, proves(code));
    if (code.expiresAt <= this.clock.now()) throw new OAuthError('code-invalid', 'code_expired', { facts });
    return { ...code, hash: read.hash };
  }

  async #replayed(code: CodeRow, verified: boolean): Promise<OAuthError> {
    const facts = { clientId: code.clientId, family: code.familyId };
    const fact = {
      action: 'auth_code.reused',
      actorId: code.userId,
      clientId: code.clientId,
      detail: { code: code.id, family: code.familyId, verifier: verified ? 'valid' : 'invalid' },
    };
    if (!verified) {
      await this.audit.refused(fact);
      return new OAuthError('code-invalid', 'code_replayed_unverified', { facts });
    }
    const revoked = { ...fact, action: 'family.revoked', reason: 'code_reuse' };
    await this.revoker.endFamily(code.familyId, 'code_reuse', fact, revoked);
    return new OAuthError('code-invalid', 'code_replayed_verified', { facts });
  }
}
