import { symptom } from './symptom.js';

/** Who the client is: authentication and registration. */
export const clientSymptoms = {
  'client-authentication-failed': symptom('invalid_client', 'client authentication failed', 'RFC 6749 §5.2', {
    client_unknown: ['No client has this client_id.', 'Check the id; register the client again if it was deleted.'],
    credentials_missing: [
      'The request names no client, or no secret for a confidential client.',
      'Send client_id, and the secret by the registered method.',
    ],
    secret_mismatch: [
      "The client secret is not one of the client's.",
      'Check the secret; rotate it with `authserver admin client rotate-secret --id ...`.',
    ],
    secret_expired: [
      'The client secret was right once and has expired.',
      'Use the newer secret, or rotate it; both work during the overlap.',
    ],
    client_suspended: [
      'The client was suspended by an operator.',
      'Ask the operator; `authserver admin client reactivate --id ...` ends it.',
    ],
    client_revoked: ['The client was revoked by an operator.', 'Register a new client.'],
    auth_method_mismatch: [
      'The client authenticated by another method than the one it registered.',
      'Use the registered token_endpoint_auth_method.',
    ],
    assertion_invalid: [
      "The client assertion fails a check of RFC 7523 §3: the audit row's `check` names it.",
      'Sign it with a registered key; iss and sub are the client id, aud is the issuer alone, exp is at most 5 minutes ahead, jti is new.',
    ],
    pepper_changed: [
      'The secret was stored under another client_secret_pepper.',
      'Restore the pepper, or rotate the secret.',
    ],
    metadata_document_wrong: [
      'The client id is a URL whose document is missing or breaks the rules for client metadata documents.',
      'Serve a valid document at exactly that URL.',
    ],
  }),
  'client-id-differs': symptom(
    'invalid_request',
    'client_id is not the one in the Authorization header',
    'RFC 6749 §2.3',
    {
      client_id_differs: [
        'The body names another client than the Authorization header.',
        'Send the same client_id in both, or leave it out of the body.',
      ],
    },
  ),
  'application-unknown': symptom(
    'invalid_client',
    'this application is not known here',
    'RFC 6749 §4.1.2.1',
    {
      client_missing: ['The request has no client_id.', 'Send it.'],
      client_unknown: [
        'No client has this client_id.',
        'Check the id; register the application again if it was deleted.',
      ],
      client_suspended: ['The client was suspended by an operator.', 'Ask the operator.'],
      client_revoked: ['The client was revoked by an operator.', 'Register a new client.'],
      metadata_document_wrong: [
        'The client id is a URL whose document is missing or breaks the rules for client metadata documents.',
        'Serve a valid document at exactly that URL.',
      ],
    },
    400,
  ),
  'two-authentication-methods': symptom(
    'invalid_request',
    'use one client authentication method only',
    'RFC 6749 §2.3',
    {
      two_methods: [
        'The request carries credentials by more than one method.',
        'Send them by the registered method only.',
      ],
    },
  ),

  'registration-closed': symptom('access_denied', 'registration is closed (dcr.mode)', 'RFC 7591 §3.2.2', {
    dcr_closed: [
      'Only operators register clients here.',
      '`authserver admin dcr set --mode open` (or approved_redirects), or `authserver admin client create ...`.',
    ],
  }),
  'redirect-refused': symptom('invalid_redirect_uri', '{problem}', 'RFC 7591 §3.2.2', {
    redirect_invalid: [
      'A redirect URI is not https, loopback http, or of an allowed scheme.',
      'Use https, or http on localhost, 127.0.0.1 or [::1].',
    ],
    redirect_not_approved: [
      'dcr.mode is approved_redirects and the URI is not on dcr.approved_redirects.',
      'Use an approved URI, or have it added.',
    ],
    scheme_not_allowed: [
      'Private-use schemes must be listed in oauth.allowed_redirect_schemes.',
      'Add the scheme there, or use a loopback redirect.',
    ],
  }),
  'client-metadata-refused': symptom('invalid_client_metadata', '{problem}', 'RFC 7591 §3.2.2', {
    metadata_invalid: [
      'A member of the registration has a value this server does not accept.',
      'The description names the member and what is allowed.',
    ],
  }),
  'registration-token-refused': symptom(
    'invalid_token',
    'the registration access token is not accepted',
    'RFC 7592 §2',
    {
      registration_token_missing: [
        'The request has no registration access token.',
        'Send it as `Authorization: Bearer ...`; the answer to the registration had it.',
      ],
      registration_token_wrong: [
        'The token is not that of the client in the URL, or the client is not there any more.',
        'Use registration_client_uri and registration_access_token of one registration; or register again.',
      ],
      client_suspended: ['The client was suspended by an operator.', 'Ask the operator.'],
      client_revoked: ['The client was revoked by an operator.', 'Register a new client.'],
    },
  ),
} as const;
