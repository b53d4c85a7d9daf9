import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { catchError, type Observable } from 'rxjs';
import { OAuthError } from '#libs/oauth';
import { PasswordUnfit } from '../accounts/password-hashing.js';
import { GroupScopeInvalid, GroupScopeNotFound } from '../accounts/group-scope-registry.js';
import { IdentityTaken } from '../accounts/identities.js';
import {
  SignInProviderConfigured,
  SignInProviderInUse,
  SignInProviderNotFound,
  SignInProviderTaken,
} from '../accounts/sign-in-providers.js';
import { EmailTaken } from '../accounts/users.js';
import { ProviderConfigWrong } from '../broker/provider-config.js';
import {
  DataEncryptionRequired,
  ProviderInUse,
  ProviderInvalid,
  ProviderNotFound,
  ProviderTaken,
} from '../broker/provider-registry.js';
import { OidcMembersWrong } from '../config/stored-oidc-provider.js';
import { EncryptionOff } from '../encryption/encryption.js';
import { KeyStoreUnfit } from '../keys/private-keys.js';
import {
  ClientDescribedByDocument,
  ClientExists,
  ClientHasNoSecret,
  ClientNotFound,
  ClientRevoked,
} from '../clients/client-errors.js';
import { FrontingCircle, FrontingExists, FrontingInvalid, FrontingNotFound } from '../resources/fronting-links.js';
import { ResourceInvalid, ResourceNotFound, ResourceTaken } from '../resources/resource-registry.js';
import { AudienceInvalid, AudienceNotFound, AudienceTaken } from '../xaa/audiences.js';
import { IssuanceNotRevocable } from '../tokens/issuances.js';
import { MappingInvalid, MappingNotFound } from '../xaa/subject-mappings.js';
import { IdpInvalid, IdpNotFound, IdpTaken } from '../xaa/trusted-idps.js';
import { PolicyInvalid, PolicyNotFound } from '../xaa/xaa-policies.js';
import { JobNeedsNoRetry } from '../platform/queue/job-queue.js';
import { conflict, invalidRequest, notFound, Problem } from './problem.js';

/** What the logic throws when it refuses, and how that reads on the operator's API. */
const problems: readonly [thrown: abstract new (...args: never[]) => Error, problem: (message: string) => Problem][] = [
  [ClientNotFound, () => notFound('client')],
  [ClientExists, (message) => conflict('client_exists', message)],
  [ClientRevoked, (message) => conflict('client_revoked', message)],
  [ClientHasNoSecret, (message) => conflict('client_has_no_secret', message)],
  [ClientDescribedByDocument, (message) => conflict('client_described_by_document', message)],
  [ResourceNotFound, () => notFound('resource')],
  [ResourceInvalid, (message) => invalidRequest(message)],
  [ResourceTaken, (message) => conflict('resource_exists', message)],
  [FrontingNotFound, () => notFound('fronting_link')],
  [FrontingInvalid, (message) => invalidRequest(message)],
  [FrontingExists, (message) => conflict('fronting_link_exists', message)],
  [FrontingCircle, (message) => conflict('fronting_circle', message)],
  [ProviderNotFound, () => notFound('broker_provider')],
  [ProviderInvalid, (message) => invalidRequest(message)],
  [ProviderConfigWrong, (message) => invalidRequest(message)],
  [ProviderTaken, (message) => conflict('broker_provider_exists', message)],
  [ProviderInUse, (message) => conflict('broker_provider_in_use', message)],
  [DataEncryptionRequired, (message) => conflict('data_encryption_required', message)],
  [EncryptionOff, (message) => conflict('encryption_off', message)],
  [KeyStoreUnfit, (message) => conflict('key_store_unfit', message)],
  [IssuanceNotRevocable, (message) => conflict('issuance_not_revocable', message)],
  [IdpNotFound, () => notFound('idp')],
  [IdpInvalid, (message) => invalidRequest(message)],
  [IdpTaken, (message) => conflict('idp_exists', message)],
  [PolicyNotFound, () => notFound('xaa_policy')],
  [PolicyInvalid, (message) => invalidRequest(message)],
  [AudienceNotFound, () => notFound('xaa_audience')],
  [AudienceInvalid, (message) => invalidRequest(message)],
  [AudienceTaken, (message) => conflict('xaa_audience_exists', message)],
  [MappingNotFound, () => notFound('subject_mapping')],
  [MappingInvalid, (message) => invalidRequest(message)],
  [SignInProviderNotFound, () => notFound('sign_in_provider')],
  [SignInProviderConfigured, (message) => conflict('sign_in_provider_configured', message)],
  [SignInProviderTaken, (message) => conflict('sign_in_provider_exists', message)],
  [SignInProviderInUse, (message) => conflict('sign_in_provider_in_use', message)],
  [GroupScopeNotFound, () => notFound('group_scope')],
  [GroupScopeInvalid, (message) => invalidRequest(message)],
  [OidcMembersWrong, (message) => invalidRequest(message)],
  [IdentityTaken, (message) => conflict('identity_exists', message)],
  [EmailTaken, (message) => conflict('user_exists', message)],
  [JobNeedsNoRetry, (message) => conflict('job_needs_no_retry', message)],
  [PasswordUnfit, (message) => invalidRequest(message)],
];

/** Turns refusals of the logic into problems. Whatever else is thrown goes on to the filter. */
@Injectable()
export class DomainProblems implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      catchError((error: unknown) => {
        throw problemOf(error) ?? error;
      }),
    );
  }
}

function problemOf(error: unknown): Problem | undefined {
  if (error instanceof OAuthError) {
    return error.status < 500 ? new Problem(error.status, error.code, error.description) : undefined;
  }
  const [, toProblem] = problems.find(([thrown]) => error instanceof thrown) ?? [];
  return toProblem?.((error as Error).message);
}
