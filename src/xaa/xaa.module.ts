import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { Assertions } from './assertions.js';
import { IdpKeySets } from './idp-key-sets.js';
import { KnownTrust } from './known-trust.js';
import { SubjectMappings } from './subject-mappings.js';
import { Subjects } from './subjects.js';
import { TrustStore } from './trust.store.js';
import { TrustedIdps } from './trusted-idps.js';
import { XaaPolicies } from './xaa-policies.js';

/**
 * XAA — whose assertions count here, for whom and for what.
 * Owns: the tables trusted_idps and xaa_policies; the keys of trusted issuers; what an assertion is worth.
 * Not here: the grant that takes assertions (grants/), who somebody is (identities, accounts/), signing in (accounts/).
 * Holds always: an issuer is compared byte for byte; what is asked of its host is bounded, and its being away refuses nobody for
 * good; reading an assertion spends nothing; every change is audited and ends with a new policy epoch.
 * RFC 7521, 7523 · draft-ietf-oauth-identity-assertion-authz-grant.
 */
@Module({
  imports: [AccountsModule],
  providers: [TrustStore, KnownTrust, IdpKeySets, Assertions, Subjects, TrustedIdps, XaaPolicies, SubjectMappings],
  exports: [KnownTrust, Assertions, Subjects, TrustedIdps, XaaPolicies, SubjectMappings],
})
export class XaaModule {}
