import { counter, each, gauge, histogram } from './metric.js';

/**
 * What the authorization server counts of its own work. Declared here and nowhere else; `runtime-metrics.ts` has what any server has.
 * A label is a word of ours or the slug of something that operators made: nobody else can make series.
 */

export const tokensIssued = counter(
  'authserver_tokens_issued_total',
  'Access tokens that were issued, by grant_type. Vends and identity assertions are counted, too.',
  ['grant_type'],
);
export const tokensRefreshed = counter(
  'authserver_tokens_refreshed_total',
  'Refresh tokens that were exchanged for the next one.',
);
export const tokensRevoked = counter(
  'authserver_tokens_revoked_total',
  'Families and tokens that were ended. family_revocation: a spent refresh token came again; code_reuse: a spent code came again; explicit: a family, by its client or an operator; explicit_machine: one access token.',
  ['reason'],
  each('reason', ['family_revocation', 'code_reuse', 'explicit', 'explicit_machine']),
);
export const authDenied = counter(
  'authserver_auth_denied_total',
  'Requests that were refused, by the private reason that the audit has as well.',
  ['reason'],
);
export const clientsRegistered = counter(
  'authserver_clients_registered_total',
  'Clients that became known: dcr, cimd or admin.',
  ['source'],
  each('source', ['dcr', 'cimd', 'admin']),
);
export const cimdFetchSuppressed = counter(
  'authserver_cimd_fetch_suppressed_total',
  'Client metadata documents that were not fetched. recent_failure: the last attempt failed less than 30 seconds ago; rate_limited: the address asked for too many; capacity: too many fetches at once; host: not an acceptable host.',
  ['reason'],
  each('reason', ['recent_failure', 'rate_limited', 'capacity', 'host']),
);
export const consentDecisions = counter(
  'authserver_consent_decisions_total',
  'Decisions on the consent page.',
  ['decision'],
  each('decision', ['granted', 'denied']),
);
export const loginAttempts = counter(
  'authserver_login_attempts_total',
  'Attempts to sign in, with a password or at an identity provider. locked: refused without looking at the password.',
  ['outcome'],
  each('outcome', ['success', 'failure', 'locked']),
);
export const refreshTokenReuse = counter(
  'authserver_refresh_token_reuse_total',
  'Spent refresh tokens that came again and ended their family: stolen, or a client that lost count.',
);
export const authCodeReuse = counter(
  'authserver_auth_code_reuse_total',
  'Spent authorization codes that came again. valid: with the verifier of the flow, which ends its tokens; invalid: without.',
  ['verifier'],
  each('verifier', ['valid', 'invalid']),
);
export const revocationFailures = counter(
  'authserver_revocation_failures_total',
  'Revocations that could not be stored. path: what they were for; half: family, or denylist for a single access token. The request was answered with an error.',
  ['path', 'half'],
  [
    ...['reuse_detection', 'code_reuse', 'explicit', 'admin'].map((path) => ({ path, half: 'family' })),
    ...['explicit', 'admin'].map((path) => ({ path, half: 'denylist' })),
  ],
);
export const jwksCacheHits = counter(
  'authserver_oidc_jwks_cache_hits_total',
  'Lookups of the keys of others (identity providers, clients) that were answered from memory.',
);
export const jwksCacheMisses = counter(
  'authserver_oidc_jwks_cache_misses_total',
  'Lookups of the keys of others that had to ask their host.',
);
export const introspections = counter(
  'authserver_introspection_total',
  'Answers of the introspection endpoint, by what they said.',
  ['active'],
  each('active', ['true', 'false']),
);
export const keyRotations = counter('authserver_key_rotation_total', 'Signing keys that were made to follow another.');
export const upstreamTokensIssued = counter(
  'authserver_upstream_token_issued_total',
  'Upstream tokens that were vended, by slug of the provider and the resource.',
  ['provider', 'resource'],
);
export const upstreamTokenRefreshes = counter(
  'authserver_upstream_token_refresh_total',
  'Credentials of connections that were shown to the provider for a token. refused: the person must connect again; away and misconfigured: tried again later; unreadable: what is sealed does not open.',
  ['provider', 'outcome'],
);
export const connectionsConnected = counter(
  'authserver_connection_connect_total',
  'Upstream accounts that people connected.',
  ['provider'],
);
export const connectionsDisconnected = counter(
  'authserver_connection_disconnect_total',
  'Upstream accounts that were disconnected, by the person or an operator.',
  ['provider'],
);
export const clientCredentialsIssued = counter(
  'authplane_client_credentials_issued_total',
  'Tokens for a client itself.',
);
export const clientCredentialsDenied = counter(
  'authplane_client_credentials_denied_total',
  'Refused requests for a token for a client itself.',
  ['reason'],
);
export const dpopProofsValidated = counter(
  'authplane_dpop_proofs_validated_total',
  'Proofs of possession that were in order and not used before.',
);
export const dpopProofsRejected = counter(
  'authplane_dpop_proofs_rejected_total',
  'Proofs of possession that were refused. nonce_missing is how clients learn the nonce.',
  ['reason'],
  each('reason', ['header', 'signature', 'claims', 'htm', 'htu', 'iat', 'nonce_missing', 'nonce_stale', 'replay']),
);
export const tokenExchanges = counter(
  'authplane_token_exchange_total',
  'Token exchanges. kind: self, direct, fronted, vend or assertion; source: slug of the resource at the beginning of a fronting link; target: slug of the resource the token is for.',
  ['kind', 'source', 'target'],
);
export const tokenExchangesDenied = counter('authplane_token_exchange_denied_total', 'Refused token exchanges.', [
  'reason',
]);
export const agentTokensIssued = counter(
  'authplane_agent_tokens_issued_total',
  'Tokens that were issued to clients that are confirmed as agents.',
);
export const xaaPolicyEvaluations = counter(
  'authplane_xaa_policy_evaluation_total',
  'Identity assertions that were held against the policies; twice, where something had changed and a request was decided again.',
  ['outcome'],
  each('outcome', ['allowed', 'denied']),
);
export const xaaIdpOperations = counter(
  'authplane_xaa_idp_operations_total',
  'Changes of trusted identity providers by operators.',
  ['op'],
  each('op', ['created', 'updated', 'deleted', 'keys_refreshed']),
);
export const xaaSubjectResolutions = counter(
  'authplane_xaa_subject_resolutions_total',
  'Which of our people an assertion is about. mapped: known by its identity; matched: found by account or address; created: a new account; unmapped: nobody.',
  ['outcome'],
  each('outcome', ['mapped', 'matched', 'created', 'unmapped']),
);
export const resourceServerOperations = counter(
  'authplane_resource_server_ops_total',
  'Changes of resources by operators.',
  ['op'],
  each('op', ['created', 'patched', 'deleted']),
);
export const allowlistOperations = counter(
  'authplane_allowlist_ops_total',
  'Entries that operators added to or removed from the lists of a resource policy.',
  ['op'],
  each('op', ['added', 'removed']),
);
export const limited = counter(
  'authserver_rate_limited_total',
  'Attempts that a limit refused, by the name of the limit.',
  ['limit'],
);

export const tokenIssuanceDuration = histogram(
  'authserver_token_issuance_duration_seconds',
  'From the request that was read to the token that is stored.',
  ['grant_type'],
);
export const authFlowDuration = histogram(
  'authserver_auth_flow_duration_seconds',
  'From the authorization request to its answer, with all the time that the person took: buckets beyond ten seconds are one.',
);
export const cimdFetchDuration = histogram(
  'authserver_cimd_fetch_duration_seconds',
  'Fetching a client metadata document.',
);
export const oidcExchangeDuration = histogram(
  'authserver_oidc_exchange_duration_seconds',
  'Exchanging the code of an identity provider for who the person is.',
  ['outcome'],
);
export const introspectionDuration = histogram(
  'authserver_introspection_duration_seconds',
  'Answering whether a token is active, for callers that may ask.',
);
export const keyReloadDuration = histogram('authserver_key_reload_duration_seconds', 'Reading the signing keys again.');
export const upstreamIssuanceDuration = histogram(
  'authserver_upstream_token_issuance_duration_seconds',
  'Having an upstream token for a vend, from memory or from the provider.',
  ['provider'],
);

export const activeClients = gauge('authserver_active_clients', 'Clients that are active. Of the whole database.');
export const activeFamilies = gauge(
  'authserver_active_token_families',
  'Refresh families that are neither revoked nor expired. Of the whole database.',
);
export const signingKeyAge = gauge('authserver_signing_key_age_seconds', 'For how long the active key has signed.');
export const signingKeyRotationDue = gauge(
  'authserver_signing_key_rotation_due_seconds',
  'How long until the active key is due to be followed; below 0: it should have been. Absent with signing.rotation_interval 0.',
);
export const secretsExpiring = gauge(
  'authserver_client_secrets_expiring',
  'Active clients whose last secret expires within that many days: 1, 7 or 30. Of the whole database.',
  ['days'],
);
export const auditQueue = gauge('authserver_audit_queue_rows', 'Refusals that wait to be written to the audit.');
