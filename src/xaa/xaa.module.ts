import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { AssertionIssuer } from './assertion-issuer.js';
import { Assertions } from './assertions.js';
import { AudienceStore } from './audience.store.js';
import { Audiences } from './audiences.js';
import { IdpKeyRefreshJob } from './idp-key-refresh.job.js';
import { IdpKeySets } from './idp-key-sets.js';
import { IssuedAssertionStore } from './issued-assertion.store.js';
import { KnownTrust } from './known-trust.js';
import { SubjectMappings } from './subject-mappings.js';
import { Subjects } from './subjects.js';
import { TrustStore } from './trust.store.js';
import { TrustedIdps } from './trusted-idps.js';
import { XaaPolicies } from './xaa-policies.js';

/**
 * XAA — whose assertions count here, for whom and for what; and for whom we issue our own.
 * Owns: the tables trusted_idps, xaa_policies and id_jag_audiences; the keys of trusted issuers; what an assertion is worth.
 * Not here: the grants that take and give assertions (grants/), who somebody is (identities, accounts/), signing in (accounts/).
 * Holds always: an issuer is compared byte for byte; what is asked of its host is bounded, and its being away refuses nobody for
 * good; reading an assertion spends nothing; every change is audited and ends with a new policy epoch.
 * RFC 7521, 7523 · draft-ietf-oauth-identity-assertion-authz-grant.
 */
@Module({
  imports: [AccountsModule],
  providers: [
    TrustStore,
    KnownTrust,
    IdpKeySets,
    Assertions,
    Subjects,
    TrustedIdps,
    XaaPolicies,
    SubjectMappings,
    AudienceStore,
    Audiences,
    IssuedAssertionStore,
    AssertionIssuer,
    IdpKeyRefreshJob,
  ],
  exports: [KnownTrust, Assertions, Subjects, TrustedIdps, XaaPolicies, SubjectMappings, Audiences, AssertionIssuer],
})
export class XaaModule {}
