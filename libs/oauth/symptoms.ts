/**
 * Every failure this server tells anyone about, declared once.
 *
 * A *symptom* is what the caller sees: a code, a status and one public sentence. It is shared by *reasons*: private, stable
 * words that say which check failed. From this table come the response, the page `/errors/{code}#{symptom}`, the audit row,
 * the metric label and the operator's explanation. A page shows all reasons of a symptom, so that it tells a caller nothing
 * about which one it was.
 *
 * `{name}` in a description is filled in by the thrower with a value that is safe to show.
 */

/** Status per error code. At our own endpoints DPoP errors are 400 (RFC 9449 §5, §8), not 401. */
export const errorStatus = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  access_denied: 403,
  not_found: 404,
  slow_down: 429,
  server_error: 500,
  temporarily_unavailable: 503,
} as const;

export type ErrorCode = keyof typeof errorStatus;

export interface Reason {
  /** What happened, for whoever reads the error page. */
  readonly cause: string;
  /** What to do about it; empty where the cause says it all. */
  readonly fix: string;
}

export interface Symptom<R extends string = string> {
  readonly code: ErrorCode;
  /** The public sentence. Only characters of RFC 6749 §5.2. */
  readonly description: string;
  /** Where the rule is written. */
  readonly see: string;
  readonly reasons: Readonly<Record<R, Reason>>;
  /** Only where the status is not the code's own. */
  readonly status?: number;
}

const symptom = <R extends string>(
  code: ErrorCode,
  description: string,
  see: string,
  reasons: Record<R, readonly [cause: string, fix: string]>,
  status?: number,
): Symptom<R> => ({
  code,
  description,
  see,
  ...(status === undefined ? {} : { status }),
  reasons: Object.fromEntries(
    Object.entries<readonly [string, string]>(reasons).map(([name, [cause, fix]]) => [name, { cause, fix }]),
  ) as Record<R, Reason>,
});

export const symptoms = {
  // Requests that cannot be read
  'parameter-missing': symptom('invalid_request', '{parameter} is required', 'RFC 6749 §5.2', {
    parameter_missing: ['A required parameter is absent or empty.', 'Send it.'],
  }),
  'parameter-repeated': symptom('invalid_request', '{parameter} must not be sent more than once', 'RFC 6749 §3.1, §3.2', {
    parameter_repeated: ['A parameter, header or JSON member occurs twice.', 'Send it once.'],
  }),
  'parameter-malformed': symptom('invalid_request', '{parameter} is malformed', 'RFC 6749 Appendix A', {
    parameter_malformed: [
      'The value is too long, is not valid UTF-8 or percent-encoding, or contains characters that are not allowed.',
      'Send the value as the specification spells it.',
    ],
  }),
  'body-unreadable': symptom('invalid_request', 'the body must be {expected}', 'RFC 6749 §4.1.3, RFC 7591 §3.1', {
    content_type_wrong: ['The Content-Type header names another type.', 'Send application/x-www-form-urlencoded, or application/json at /oauth/register.'],
    body_malformed: ['The body does not parse.', 'Send what the Content-Type header says.'],
  }),
  'body-too-large': symptom('invalid_request', 'the body or URL is too long', 'RFC 9110 §15.5.14', {
    body_too_large: ['The body is over 64 KiB.', 'Send less.'],
  }, 413),
  'method-not-allowed': symptom('invalid_request', 'only {allowed} is allowed here', 'RFC 9110 §15.5.6', {
    method_not_allowed: ['The endpoint does not answer this method.', 'Use the method named.'],
  }, 405),
  'media-type-unsupported': symptom('invalid_request', 'the body must be {expected}', 'RFC 9110 §15.5.16', {
    media_type_unsupported: ['The Content-Type header names another type, or there is none.', 'Token, revocation and introspection requests are application/x-www-form-urlencoded; registrations are application/json.'],
  }, 415),
  'host-misdirected': symptom('invalid_request', 'this host name is not served here', 'RFC 9110 §15.5.20', {
    host_misdirected: ['The Host header names neither loopback nor an allowed host.', 'Add the name to admin.allowed_hosts, or use the address the server prints.'],
  }, 421),

  // Client authentication
  'client-authentication-failed': symptom('invalid_client', 'client authentication failed', 'RFC 6749 §5.2', {
    client_unknown: ['No client has this client_id.', 'Check the id; register the client again if it was deleted.'],
    credentials_missing: ['The request names no client, or no secret for a confidential client.', 'Send client_id, and the secret by the registered method.'],
    secret_mismatch: ['The client secret is not one of the client\'s.', 'Check the secret; rotate it with `authserver admin client rotate-secret --id ...`.'],
    secret_expired: ['The client secret was right once and has expired.', 'Use the newer secret, or rotate it; both work during the overlap.'],
    client_suspended: ['The client was suspended by an operator.', 'Ask the operator; `authserver admin client reactivate --id ...` ends it.'],
    client_revoked: ['The client was revoked by an operator.', 'Register a new client.'],
    auth_method_mismatch: ['The client authenticated by another method than the one it registered.', 'Use the registered token_endpoint_auth_method.'],
    pepper_changed: ['The secret was stored under another client_secret_pepper.', 'Restore the pepper, or rotate the secret.'],
    metadata_document_wrong: ['The client id is a URL whose document is missing or breaks the rules for client metadata documents.', 'Serve a valid document at exactly that URL.'],
  }),
  'client-id-differs': symptom('invalid_request', 'client_id is not the one in the Authorization header', 'RFC 6749 §2.3', {
    client_id_differs: ['The body names another client than the Authorization header.', 'Send the same client_id in both, or leave it out of the body.'],
  }),
  'application-unknown': symptom('invalid_client', 'this application is not known here', 'RFC 6749 §4.1.2.1', {
    client_missing: ['The request has no client_id.', 'Send it.'],
    client_unknown: ['No client has this client_id.', 'Check the id; register the application again if it was deleted.'],
    client_suspended: ['The client was suspended by an operator.', 'Ask the operator.'],
    client_revoked: ['The client was revoked by an operator.', 'Register a new client.'],
    metadata_document_wrong: ['The client id is a URL whose document is missing or breaks the rules for client metadata documents.', 'Serve a valid document at exactly that URL.'],
  }, 400),
  'two-authentication-methods': symptom('invalid_request', 'use one client authentication method only', 'RFC 6749 §2.3', {
    two_methods: ['The request carries credentials by more than one method.', 'Send them by the registered method only.'],
  }),

  // Grants
  'grant-unknown': symptom('unsupported_grant_type', 'grant_type is not supported', 'RFC 6749 §5.2', {
    grant_unknown: ['This server has no such grant.', 'The metadata member grant_types_supported lists what it has.'],
  }),
  'grant-not-registered': symptom('unauthorized_client', 'this client is not registered for grant_type {grant}', 'RFC 6749 §5.2', {
    grant_not_registered: ['The client\'s grant_types does not contain this grant.', '`authserver admin client update --id ... --grant-types ...`, or register again.'],
  }),
  'code-invalid': symptom('invalid_grant', 'authorization code has already been used or has expired', 'RFC 6749 §4.1.2, §5.2', {
    code_unknown: ['No such code was ever issued, or it is long gone.', 'Start the flow again.'],
    code_expired: ['The code is older than its lifetime (10 minutes, or oauth.code_ttl).', 'Redeem codes at once; start the flow again.'],
    code_of_another_client: ['The code was issued to another client.', 'Redeem it with the client that asked for it.'],
    code_replayed_verified: ['The code was redeemed before, by this client with the right verifier. Its token family is now revoked.', 'Start again. Never send a code twice, not even after a network error.'],
    code_replayed_unverified: ['The code was redeemed before; this request could not prove that it began the flow.', 'Start again. Never send a code twice, not even after a network error.'],
  }),
  'pkce-failed': symptom('invalid_grant', 'PKCE verification failed', 'RFC 7636 §4.6', {
    verifier_mismatch: ['The code_verifier does not hash to the code_challenge of the authorization request.', 'code_challenge = BASE64URL(SHA256(code_verifier)); do not URL-encode the verifier before hashing.'],
    verifier_malformed: ['The code_verifier is not 43 to 128 unreserved characters.', 'Generate it as RFC 7636 §4.1 says.'],
  }),
  'redirect-differs': symptom('invalid_grant', 'redirect_uri does not match the authorization request', 'RFC 6749 §4.1.3', {
    redirect_mismatch: ['The token request names another redirect_uri than the authorization request.', 'Send the same bytes twice.'],
  }),
  'grant-ended': symptom('invalid_grant', 'the authorization this code stands for has ended', 'RFC 6749 §5.2', {
    consent_withdrawn: ['The person withdrew the consent before the code was redeemed.', 'Ask the person again.'],
    user_disabled: ['The person\'s account was disabled before the code was redeemed.', 'Ask the operator.'],
  }),
  'refresh-reused': symptom('invalid_grant', 'refresh token has already been used', 'RFC 9700 §4.14.2', {
    refresh_reused: ['A spent refresh token was presented. Its whole family is now revoked.', 'Sign in again, and serialize refreshes: two at once with one token look like theft.'],
  }),
  'family-revoked': symptom('invalid_grant', 'token family revoked due to reuse detection', 'RFC 9700 §4.14.2', {
    family_revoked: ['Another request presented a spent token of this family earlier.', 'Sign in again, and serialize refreshes: two at once with one token look like theft.'],
  }),
  'refresh-invalid': symptom('invalid_grant', 'refresh token is invalid or expired', 'RFC 6749 §5.2', {
    refresh_unknown: ['No such refresh token.', 'Sign in again.'],
    refresh_expired: ['The token was not used for longer than its lifetime, or its family reached its absolute end.', 'Sign in again.'],
    family_ended: ['The family was revoked: by the client, the person, or an operator.', 'Sign in again.'],
    refresh_of_another_client: ['The token was issued to another client.', 'Refresh with the client that owns it.'],
    user_disabled: ['The person\'s account is disabled.', 'Ask the operator.'],
    consent_withdrawn: ['The person withdrew the consent, or what is left of it is empty.', 'Ask the person again.'],
  }),

  // Authorization requests
  'code-flow-not-registered': symptom('unauthorized_client', 'this client is not registered for the authorization code flow', 'RFC 6749 §4.1.2.1', {
    code_flow_not_registered: ['The client\'s grant_types does not contain authorization_code.', '`authserver admin client update --id ... --grant-types authorization_code,refresh_token`, or register again.'],
  }),
  'response-type-unsupported': symptom('unsupported_response_type', 'response_type must be code', 'RFC 6749 §4.1.2.1', {
    response_type_unsupported: ['The request asks for another response type. The implicit grant does not exist here.', 'Use response_type=code.'],
  }),
  'challenge-required': symptom('invalid_request', 'code_challenge is required, with code_challenge_method S256', 'RFC 7636 §4.4.1', {
    challenge_missing: ['The request has no code_challenge.', 'Send one; every client needs PKCE here.'],
    challenge_method_unsupported: ['code_challenge_method is absent or not S256.', 'Use S256.'],
    challenge_malformed: ['code_challenge is not 43 base64url characters.', 'code_challenge = BASE64URL(SHA256(code_verifier)).'],
  }),
  'prompt-none': symptom('invalid_request', 'prompt=none is not supported', 'OpenID Connect Core §3.1.2.1', {
    prompt_unsupported: ['The request forbids pages, and this server never signs in silently.', 'Leave prompt out, or use login or consent.'],
  }),
  'user-denied': symptom('access_denied', 'the user did not allow this', 'RFC 6749 §4.1.2.1', {
    user_denied: ['The person pressed Deny.', ''],
  }),
  'scope-unknown': symptom('invalid_scope', 'scope {scope} is not declared by resource {resource}', 'RFC 6749 §3.3', {
    scope_not_in_catalog: ['The resource does not declare this scope. Scopes are declared on the resource, not only on the client.', 'Add it to the resource, or do not ask for it.'],
  }),
  'scope-above-ceiling': symptom('invalid_scope', 'scope {scope} exceeds what this client may request', 'RFC 6749 §3.3', {
    scope_above_ceiling: ['The client\'s own scope does not contain it.', 'Raise it with `authserver admin client update --id ... --scope "..."`, or ask for less.'],
  }),
  'scope-beyond-grant': symptom('invalid_scope', 'scope {scope} exceeds what was granted', 'RFC 6749 §6', {
    scope_not_granted: ['A refresh may narrow the scope, never widen it.', 'Ask for less, or start a new authorization request.'],
  }),
  'scope-empty': symptom('invalid_scope', 'no scope of this resource can be granted to this client', 'RFC 6749 §3.3', {
    scope_missing: ['The request names no scope and oauth.require_scope is on.', 'Send scope.'],
    scope_nothing_left: ['What the resource declares and what the client may request have nothing in common.', 'Change the client\'s scope or the resource\'s.'],
  }),
  'resource-unknown': symptom('invalid_target', 'resource is not registered{hint}', 'RFC 8707 §2', {
    resource_unknown: ['No resource has this URI.', 'Register it, or copy the registered URI byte for byte, in both requests.'],
    resource_near_miss: ['A resource is registered under almost this URI.', 'Copy the registered URI byte for byte, in both requests.'],
    resource_not_mint: ['The resource is served by a broker: its tokens come from token exchange, not from here.', 'Ask for a resource whose backend_kind is mint.'],
  }),
  'resource-required': symptom('invalid_target', 'resource is required', 'RFC 8707 §2', {
    resource_ambiguous: ['The request names no resource, and the scopes do not tell which one is meant.', 'Send resource; or set the client\'s default_resource or oauth.default_resource.'],
  }),
  'resource-repeated': symptom('invalid_target', 'one resource per token', 'RFC 8707 §2', {
    resource_repeated: ['The request names more than one resource.', 'Ask for one token per resource.'],
  }),
  'resource-not-granted': symptom('invalid_target', 'resource was not granted', 'RFC 8707 §2.2', {
    resource_not_granted: ['The authorization was given for another resource.', 'Send the resource of the authorization request, byte for byte, or none.'],
  }),
  'redirect-not-registered': symptom('invalid_request', 'redirect_uri is not registered for this client', 'RFC 9700 §2.1', {
    redirect_not_registered: ['The redirect_uri is not one of the client\'s, compared byte for byte (only the port of a loopback address may differ).', 'Register it: `authserver admin client update --id ... --redirect-uris ...`.'],
    redirect_missing: ['The request has no redirect_uri, and the client has none or several.', 'Send redirect_uri.'],
  }),
  'request-expired': symptom('invalid_request', 'this sign-in request has expired', 'RFC 6749 §4.1', {
    request_expired: ['The page stayed open for more than 10 minutes, or the link was changed.', 'Go back to the application and start again.'],
  }),
  'flow-of-another-browser': symptom('access_denied', 'this sign-in was started in another browser', 'RFC 9700 §4.7', {
    flow_cookie_mismatch: ['The page was opened in another browser than the one that began the flow, or its cookies were cleared.', 'Start again in this browser.'],
    csrf_mismatch: ['The form does not belong to this session.', 'Open the page again.'],
    cross_site_post: ['The form was sent from another site.', 'Open the page itself.'],
    user_changed: ['Somebody else signed in in this browser since the page was shown.', 'Open the page again.'],
  }),

  // Registration
  'registration-closed': symptom('access_denied', 'registration is closed (dcr.mode)', 'RFC 7591 §3.2.2', {
    dcr_closed: ['Only operators register clients here.', '`authserver admin dcr set --mode open` (or approved_redirects), or `authserver admin client create ...`.'],
  }),
  'redirect-refused': symptom('invalid_redirect_uri', '{problem}', 'RFC 7591 §3.2.2', {
    redirect_invalid: ['A redirect URI is not https, loopback http, or of an allowed scheme.', 'Use https, or http on localhost, 127.0.0.1 or [::1].'],
    redirect_not_approved: ['dcr.mode is approved_redirects and the URI is not on dcr.approved_redirects.', 'Use an approved URI, or have it added.'],
    scheme_not_allowed: ['Private-use schemes must be listed in oauth.allowed_redirect_schemes.', 'Add the scheme there, or use a loopback redirect.'],
  }),
  'client-metadata-refused': symptom('invalid_client_metadata', '{problem}', 'RFC 7591 §3.2.2', {
    metadata_invalid: ['A member of the registration has a value this server does not accept.', 'The description names the member and what is allowed.'],
  }),

  // Everything else
  'too-many-requests': symptom('slow_down', 'too many requests', 'RFC 6585 §4', {
    rate_limited: ['This client or address sent too many requests.', 'Wait as long as Retry-After says.'],
  }),
  'not-found': symptom('not_found', 'there is nothing here', 'RFC 9110 §15.5.5', {
    not_found: ['No such page or object.', 'The metadata lists the endpoints.'],
  }),
  'try-again': symptom('temporarily_unavailable', 'try again', 'RFC 6749 §4.1.2.1', {
    database_unavailable: ['The database does not answer.', 'Nothing was consumed or issued; try again after Retry-After.'],
    redis_unavailable: ['Redis does not answer.', 'Nothing was consumed or issued; try again after Retry-After.'],
    metadata_document_unavailable: ['The host of the client\'s metadata document does not answer.', 'Nothing was consumed or issued; try again after Retry-After.'],
    stale_twice: ['Policies changed twice while this request was decided.', 'Nothing was consumed or issued; try again.'],
  }),
  'outcome-unknown': symptom('temporarily_unavailable', 'the request may have been carried out', 'RFC 6749 §4.1.2.1', {
    outcome_unknown: ['The database went away while it answered.', 'Try again; if the token was spent, start a new flow.'],
  }),
  'server-error': symptom('server_error', 'internal error', 'RFC 6749 §4.1.2.1', {
    unexpected: ['Something broke that should not. The log has it under the request id.', 'Tell the operator the request id.'],
  }),
} as const;

export type SymptomSlug = keyof typeof symptoms;
/** Distributes, so that an error of one symptom is an error of any. */
export type ReasonOf<S extends SymptomSlug> = S extends SymptomSlug ? keyof (typeof symptoms)[S]['reasons'] & string : never;
