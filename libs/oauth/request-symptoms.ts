import { symptom } from './symptom.js';

/** What can be wrong with any request, and what is our own trouble. */
export const requestSymptoms = {
  'parameter-missing': symptom('invalid_request', '{parameter} is required', 'RFC 6749 §5.2', {
    parameter_missing: ['A required parameter is absent or empty.', 'Send it.'],
  }),
  'parameter-repeated': symptom(
    'invalid_request',
    '{parameter} must not be sent more than once',
    'RFC 6749 §3.1, §3.2',
    {
      parameter_repeated: ['A parameter, header or JSON member occurs twice.', 'Send it once.'],
    },
  ),
  'parameter-malformed': symptom('invalid_request', '{parameter} is malformed', 'RFC 6749 Appendix A', {
    parameter_malformed: [
      'The value is too long, is not valid UTF-8 or percent-encoding, or contains characters that are not allowed.',
      'Send the value as the specification spells it.',
    ],
  }),
  'body-unreadable': symptom('invalid_request', 'the body must be {expected}', 'RFC 6749 §4.1.3, RFC 7591 §3.1', {
    body_malformed: ['The body does not parse.', 'Send what the Content-Type header says.'],
  }),
  'body-too-large': symptom(
    'invalid_request',
    'the body is too long',
    'RFC 9110 §15.5.14',
    {
      body_too_large: ['The body is over 64 KiB.', 'Send less.'],
    },
    413,
  ),
  'url-too-long': symptom(
    'invalid_request',
    'the URL is too long',
    'RFC 9110 §15.5.15',
    {
      url_too_long: ['The URL is over 16 KiB.', 'Send less.'],
    },
    414,
  ),
  'method-not-allowed': symptom(
    'invalid_request',
    'only {allowed} is allowed here',
    'RFC 9110 §15.5.6',
    {
      method_not_allowed: ['The endpoint does not answer this method.', 'Use the method named.'],
    },
    405,
  ),
  'media-type-unsupported': symptom(
    'invalid_request',
    'the body must be {expected}',
    'RFC 9110 §15.5.16',
    {
      media_type_unsupported: [
        'The Content-Type header names another type, or there is none.',
        'Token, revocation and introspection requests are application/x-www-form-urlencoded; registrations are application/json.',
      ],
    },
    415,
  ),
  'host-misdirected': symptom(
    'invalid_request',
    'this host name is not served here',
    'RFC 9110 §15.5.20',
    {
      host_misdirected: [
        'The Host header names neither loopback nor an allowed host.',
        'Add the name to admin.allowed_hosts, or use the address the server prints.',
      ],
    },
    421,
  ),

  'too-many-requests': symptom('slow_down', 'too many requests', 'RFC 6585 §4', {
    rate_limited: ['This client or address sent too many requests.', 'Wait as long as Retry-After says.'],
  }),
  'not-found': symptom('not_found', 'there is nothing here', 'RFC 9110 §15.5.5', {
    not_found: ['No such page or object.', 'The metadata lists the endpoints.'],
  }),
  'try-again': symptom('temporarily_unavailable', 'try again', 'RFC 6749 §4.1.2.1', {
    database_unavailable: [
      'The database does not answer.',
      'Nothing was consumed or issued; try again after Retry-After.',
    ],
    redis_unavailable: ['Redis does not answer.', 'Nothing was consumed or issued; try again after Retry-After.'],
    queue_unavailable: [
      'The queue of jobs does not answer.',
      'Look at Redis, or else the database; try again after Retry-After.',
    ],
    vault_unavailable: [
      'Vault, which seals what is stored or signs tokens, does not answer, is sealed, or does not let this server in.',
      'Nothing was consumed or issued; try again after Retry-After.',
    ],
    metadata_document_unavailable: [
      "The host of the client's metadata document does not answer.",
      'Nothing was consumed or issued; try again after Retry-After.',
    ],
    client_keys_unavailable: [
      "The host of the client's jwks_uri does not answer.",
      'Nothing was consumed or issued; try again after Retry-After.',
    ],
    idp_unavailable: [
      "The issuer's host does not answer, or its key set cannot be used; the keys that are remembered are too old.",
      'The operator looks why: authserver admin idp refresh-keys. Nothing was consumed or issued; try again after Retry-After.',
    ],
    recheck_unavailable: [
      'The identity provider at which the person signed in has not answered for more than an hour beyond its recheck interval.',
      'Nothing was consumed or issued; try again after Retry-After. The log tells what is in the way.',
    ],
    upstream_unavailable: [
      'The upstream provider does not answer, or asks to be left alone for a while.',
      'The connection stays; try again after Retry-After.',
    ],
    upstream_misconfigured: [
      'The upstream provider refuses this server: its client, its secret, or the scopes it asks for.',
      'The operator corrects the provider; the log tells what upstream said. The connection stays.',
    ],
    vault_unreadable: [
      'A stored credential does not open: it was changed, or sealed under a key that this server does not have.',
      'The operator names the variable with the former master key in data_encryption.aes_master.old_key_env, configures the former driver beside the new one, or restores the row; the log names the connection.',
    ],
    stale_twice: [
      'Policies changed twice while this request was decided.',
      'Nothing was consumed or issued; try again.',
    ],
  }),
  'outcome-unknown': symptom('temporarily_unavailable', 'the request may have been carried out', 'RFC 6749 §4.1.2.1', {
    outcome_unknown: [
      'The database went away while it answered.',
      'Try again; if the token was spent, start a new flow.',
    ],
  }),
  'server-error': symptom('server_error', 'internal error', 'RFC 6749 §4.1.2.1', {
    unexpected: [
      'Something broke that should not. The log has it under the request id.',
      'Tell the operator the request id.',
    ],
  }),
} as const;
