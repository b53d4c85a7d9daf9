import { Injectable } from '@nestjs/common';
import { clientSigningAlgs } from '#libs/jwt';
import { authMethods, idJagProfile, tokenType } from '#libs/oauth';
import { RegistrationMode } from '../clients/registration-mode.js';
import { Config } from '../config/config.js';
import { DpopVerifier } from '../dpop/dpop-verifier.js';
import { Grants } from '../grants/grants.js';

/** What works today, and nothing else: each member is derived from what answers it (RFC 8414 §2, W22). */
@Injectable()
export class ServerMetadata {
  constructor(
    private readonly config: Config,
    private readonly grants: Grants,
    private readonly proofs: DpopVerifier,
    private readonly registration: RegistrationMode,
  ) {}

  async document(): Promise<Record<string, unknown>> {
    const { issuer } = this.config.server;
    const confidentialMethods = authMethods.filter((method) => method !== 'none');
    const open = (await this.registration.lastKnown()) !== 'admin_only';
    return {
      issuer,
      authorization_endpoint: `${issuer}/oauth/authorize`,
      token_endpoint: `${issuer}/oauth/token`,
      ...(open ? { registration_endpoint: `${issuer}/oauth/register` } : {}),
      revocation_endpoint: `${issuer}/oauth/revoke`,
      introspection_endpoint: `${issuer}/oauth/introspect`,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: this.grants.types,
      token_endpoint_auth_methods_supported: authMethods,
      revocation_endpoint_auth_methods_supported: authMethods,
      introspection_endpoint_auth_methods_supported: confidentialMethods,
      token_endpoint_auth_signing_alg_values_supported: clientSigningAlgs,
      revocation_endpoint_auth_signing_alg_values_supported: clientSigningAlgs,
      introspection_endpoint_auth_signing_alg_values_supported: clientSigningAlgs,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      resource_indicators_supported: true,
      ...(this.config.dpop.enabled ? { dpop_signing_alg_values_supported: this.proofs.algorithms } : {}),
      ...(this.config.xaa.enabled ? { authorization_grant_profiles_supported: [idJagProfile] } : {}),
      ...(this.config.xaa.issuingEnabled
        ? { identity_chaining_requested_token_types_supported: [tokenType.idJag] }
        : {}),
      ...(this.config.cimd.enabled ? { client_id_metadata_document_supported: true } : {}),
      // Official SDKs parse the OpenID alias strictly; these two say nothing untrue of a server that issues no ID tokens.
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
  }
}
