import { symptom } from './symptom.js';

/** What the token endpoint refuses. */
export const tokenSymptoms = {
  'grant-unknown': symptom('unsupported_grant_type', 'grant_type is not supported', 'RFC 6749 §5.2', {
    grant_unknown: ['This server has no such grant.', 'The metadata member grant_types_supported lists what it has.'],
  }),
  'grant-disabled': symptom(
    'unsupported_grant_type',
    'grant_type {grant} is not enabled on this server ({setting})',
    'RFC 6749 §5.2',
    {
      grant_disabled: [
        'The operator has not switched this grant on.',
        'Set the named setting to true and restart: AUTHPLANE_CLIENT_CREDENTIALS_ENABLED=true, AUTHPLANE_TOKEN_EXCHANGE_ENABLED=true, AUTHPLANE_XAA_ENABLED=true.',
      ],
    },
  ),
  'grant-not-registered': symptom(
    'unauthorized_client',
    'this client is not registered for grant_type {grant}',
    'RFC 6749 §5.2',
    {
      grant_not_registered: [
        "The client's grant_types does not contain this grant.",
        '`authserver admin client update --id ... --grant-types ...`, or register again.',
      ],
    },
  ),
  'code-invalid': symptom(
    'invalid_grant',
    'authorization code has already been used or has expired',
    'RFC 6749 §4.1.2, §5.2',
    {
      code_unknown: ['No such code was ever issued, or it is long gone.', 'Start the flow again.'],
      code_expired: [
        'The code is older than its lifetime (10 minutes, or oauth.code_ttl).',
        'Redeem codes at once; start the flow again.',
      ],
      code_of_another_client: [
        'The code was issued to another client.',
        'Redeem it with the client that asked for it.',
      ],
      code_replayed_verified: [
        'The code was redeemed before, by this client with the right verifier. Its token family is now revoked.',
        'Start again. Never send a code twice, not even after a network error.',
      ],
      code_replayed_unverified: [
        'The code was redeemed before; this request could not prove that it began the flow.',
        'Start again. Never send a code twice, not even after a network error.',
      ],
    },
  ),
  'pkce-failed': symptom('invalid_grant', 'PKCE verification failed', 'RFC 7636 §4.6', {
    verifier_mismatch: [
      'The code_verifier does not hash to the code_challenge of the authorization request.',
      'code_challenge = BASE64URL(SHA256(code_verifier)); do not URL-encode the verifier before hashing.',
    ],
    verifier_malformed: [
      'The code_verifier is not 43 to 128 unreserved characters.',
      'Generate it as RFC 7636 §4.1 says.',
    ],
  }),
  'redirect-differs': symptom(
    'invalid_grant',
    'redirect_uri does not match the authorization request',
    'RFC 6749 §4.1.3',
    {
      redirect_mismatch: [
        'The token request names another redirect_uri than the authorization request.',
        'Send the same bytes twice.',
      ],
    },
  ),
  'grant-ended': symptom('invalid_grant', 'the authorization this code stands for has ended', 'RFC 6749 §5.2', {
    consent_withdrawn: ['The person withdrew the consent before the code was redeemed.', 'Ask the person again.'],
    user_disabled: ["The person's account was disabled before the code was redeemed.", 'Ask the operator.'],
    signed_out: ['An operator signed the person out everywhere before the code was redeemed.', 'Ask the person again.'],
  }),
  'refresh-reused': symptom('invalid_grant', 'refresh token has already been used', 'RFC 9700 §4.14.2', {
    refresh_reused: [
      'A spent refresh token was presented. Its whole family is now revoked.',
      'Sign in again, and serialize refreshes: two at once with one token look like theft.',
    ],
  }),
  'family-revoked': symptom('invalid_grant', 'token family revoked due to reuse detection', 'RFC 9700 §4.14.2', {
    family_revoked: [
      'Another request presented a spent token of this family earlier.',
      'Sign in again, and serialize refreshes: two at once with one token look like theft.',
    ],
  }),
  'refresh-invalid': symptom('invalid_grant', 'refresh token is invalid or expired', 'RFC 6749 §5.2', {
    refresh_unknown: ['No such refresh token.', 'Sign in again.'],
    refresh_expired: [
      'The token was not used for longer than its lifetime, or its family reached its absolute end.',
      'Sign in again.',
    ],
    family_ended: ['The family was revoked: by the client, the person, or an operator.', 'Sign in again.'],
    refresh_of_another_client: ['The token was issued to another client.', 'Refresh with the client that owns it.'],
    user_disabled: ["The person's account is disabled.", 'Ask the operator.'],
    consent_withdrawn: ['The person withdrew the consent, or what is left of it is empty.', 'Ask the person again.'],
    groups_allow_nothing: [
      "The person's groups at their identity provider give nothing at this resource any more. The token is not spent.",
      'The operator maps one of the groups, or the company puts the person into one that is mapped; then the same token works again.',
    ],
    groups_allow_less: [
      "The answer that is asked for again holds more than the person's groups give by now.",
      'Sign in again.',
    ],
  }),
  'sign-in-again': symptom(
    'invalid_grant',
    'the person must sign in again; this refresh token works after that',
    'RFC 6749 §6; OpenID Connect Core §12',
    {
      identity_refused: [
        'The identity provider of the person does not vouch for them any more: the account there is disabled or of another domain or tenant, or what it allowed this server was withdrawn or has run out.',
        'Keep the refresh token. Once the account is in order there, the person signs in here again, and the token works as before.',
      ],
      identity_unchecked: [
        'It is time to ask the identity provider again whether the person is welcome (recheck), and there is nothing to ask it with: it gave no refresh token, or the answer to the last question was lost.',
        'Keep the refresh token. The person signs in here again, and it works as before. Operators: does the provider give refresh tokens to this server (offline_access)?',
      ],
    },
  ),
} as const;
