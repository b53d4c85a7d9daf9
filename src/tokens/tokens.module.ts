import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { ClientsModule } from '../clients/clients.module.js';
import { ResourcesModule } from '../resources/resources.module.js';
import { AccessTokenReader } from './access-token-reader.js';
import { AuthorizationCodes } from './authorization-codes.js';
import { ClientRevocation } from './client-revocation.js';
import { FamilyRevocationJob } from './family-revocation.job.js';
import { IntrospectionController } from './introspection.controller.js';
import { IntrospectionStore } from './introspection.store.js';
import { Introspector } from './introspector.js';
import { IssuanceStore } from './issuance.store.js';
import { Issuances } from './issuances.js';
import { RefreshTokens } from './refresh-tokens.js';
import { RevocationController } from './revocation.controller.js';
import { AccessTokenSigner } from './access-token-signer.js';
import { TokenIssuer } from './token-issuer.js';
import { TokenRevoker } from './token-revoker.js';
import { TokenStore } from './token.store.js';

/**
 * Tokens — everything this server issues and can take back.
 * Owns: authorization codes, access tokens, refresh families; POST /oauth/revoke, /oauth/introspect.
 * Not here: whether something may be issued (grants/), the keys it is signed with (keys/).
 * Holds always: a code or refresh token is redeemed at most once; reuse revokes its family before the answer is sent; only hashes
 * are stored, and one sealed answer per family that opens only with the spent token.
 * Jobs: family-revocation tells the outside; it decides nothing.
 * RFC 6749 §4.1, §6 · RFC 7009 · RFC 7662 · RFC 9068.
 */
@Module({
  imports: [AccountsModule, ClientsModule, ResourcesModule],
  controllers: [RevocationController, IntrospectionController],
  providers: [
    TokenStore,
    AuthorizationCodes,
    RefreshTokens,
    AccessTokenSigner,
    TokenIssuer,
    TokenRevoker,
    ClientRevocation,
    IntrospectionStore,
    AccessTokenReader,
    Introspector,
    IssuanceStore,
    Issuances,
    FamilyRevocationJob,
  ],
  exports: [AccessTokenReader, AuthorizationCodes, RefreshTokens, TokenIssuer, Issuances],
})
export class TokensModule {}
