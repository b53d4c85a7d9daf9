import { symptom } from './symptom.js';

const TO_THE_PROVIDER = 'Look at what the identity provider sends; the audit row says which check failed.';
const BEGIN_AGAIN = 'Begin again at the sign-in page.';

/** What a person meets on the way through the company's identity provider. */
export const signInSymptoms = {
  'sign-in-provider-unknown': symptom('not_found', 'there is no such way to sign in', 'OpenID Connect Core §3.1', {
    identity_provider_unknown: ['No identity provider has this name.', 'Begin at the sign-in page.'],
    email_domain_unknown: [
      'No identity provider is responsible for this e-mail address.',
      'Check the address; the operator names the domain in email_domains.',
    ],
  }),
  'sign-in-flow-over': symptom(
    'invalid_request',
    'this attempt to sign in is over; begin again',
    'RFC 9700 §4.4, §4.7; RFC 9207',
    {
      sign_in_expired: ['More than 10 minutes passed at the identity provider.', BEGIN_AGAIN],
      sign_in_spent: ['The identity provider sent the browser back a second time; a state is used once.', BEGIN_AGAIN],
      sign_in_unlinked: ['An operator changed who this person is here while they signed in.', BEGIN_AGAIN],
      sign_in_of_another_provider: [
        'The state belongs to a sign-in at another identity provider than the one whose callback was opened (mix-up).',
        `${BEGIN_AGAIN} If it happens again, look for a redirect URI that is registered at the wrong provider.`,
      ],
    },
  ),
  'sign-in-refused-upstream': symptom(
    'access_denied',
    'the identity provider did not say who you are',
    'OpenID Connect Core §3.1.2.6, §3.1.3.7; RFC 9207',
    {
      idp_denied: ['The identity provider sent the browser back with an error.', BEGIN_AGAIN],
      idp_code_refused: ['The identity provider does not accept the code that came.', BEGIN_AGAIN],
      idp_answer_invalid: [
        'The answer or the ID token is not one that may be believed: issuer, audience, nonce, time or signature is wrong.',
        `${BEGIN_AGAIN} The audit row says which check failed.`,
      ],
    },
    401,
  ),
  'sign-in-not-allowed': symptom('access_denied', 'this account may not sign in here', 'OpenID Connect Core §5.7', {
    hosted_domain_refused: [
      'The account is of a domain (hd) that is not among those that may sign in.',
      'Sign in with the account of your company; the operator changes hosted_domains.',
    ],
    tenant_refused: [
      'The account is of a tenant (tid) that is not among those that may sign in.',
      'Sign in with the account of your company; the operator changes tenants.',
    ],
    user_disabled: ['The account was disabled here.', 'The operator enables it: `authserver admin user enable`.'],
  }),
  'email-in-use': symptom(
    'access_denied',
    'another account here has your e-mail address; ask the operator to link the two',
    'OpenID Connect Core §5.7',
    {
      email_in_use: [
        'Nobody had signed in here as this person of the identity provider, and the e-mail address is that of an account. An address proves nothing, so nothing was linked.',
        'Sign in the way you did before. The operator links the two: `POST /admin/users/{id}/identities`, or `authserver admin user link-identity`.',
      ],
    },
    409,
  ),
  'logout-token-invalid': symptom(
    'invalid_request',
    'logout_token may not be believed',
    'OpenID Connect Back-Channel Logout 1.0 §2.6',
    {
      logout_token_malformed: [
        'It is no signed JWT in compact form, a member occurs twice in it, or its typ is another than JWT or logout+jwt.',
        TO_THE_PROVIDER,
      ],
      logout_token_signature: [
        'It is not signed by a key of this identity provider with an asymmetric algorithm.',
        `${TO_THE_PROVIDER} Is its key set current, and the URL that of this provider?`,
      ],
      logout_token_issuer: ['Its iss is not this identity provider.', TO_THE_PROVIDER],
      logout_token_audience: ['Its aud does not name the client that this server is there.', TO_THE_PROVIDER],
      logout_token_time: [
        'It has expired, lacks exp or iat, or was issued more than five minutes ago or in the future.',
        'Compare the clocks of the two servers.',
      ],
      logout_token_event: ['It is not about a back-channel logout: the member of events is missing.', TO_THE_PROVIDER],
      logout_token_nonce: ['It has a nonce: it is an ID token.', TO_THE_PROVIDER],
      logout_token_subject: ['It names neither sub nor sid, or not as text.', TO_THE_PROVIDER],
      logout_token_jti: ['It has no jti, or one longer than 256 bytes.', TO_THE_PROVIDER],
      logout_token_replayed: ['A token with this jti was used before.', 'Make a new one for each sign-out.'],
    },
  ),
  'sign-in-upstream-away': symptom(
    'temporarily_unavailable',
    'the identity provider does not answer; try again in a moment',
    'OpenID Connect Core §3.1.2.6',
    { idp_unavailable: ['The identity provider timed out, limits requests or answered nonsense.', 'Try again.'] },
  ),
  'sign-in-misconfigured': symptom(
    'temporarily_unavailable',
    'signing in at this identity provider is not set up rightly; tell the operator',
    'OpenID Connect Discovery §4.3; RFC 6749 §5.2',
    {
      idp_misconfigured: [
        'The identity provider refuses this server, or its discovery document is of another issuer. The log says which.',
        'Operators: compare issuer, client_id, secret and redirect URI with what is registered there.',
      ],
      idp_secret_missing: [
        'The variable that the provider names in client_secret_ref is not set for this server. The log says which.',
        'Operators: set it and restart, or give the secret itself: `authserver admin sign-in-provider update --slug ... --client-secret -`.',
      ],
      idp_secret_unreadable: [
        'The client secret of the provider does not open: encryption at rest is off, or has another key than when it was sealed.',
        'Operators: bring the former key back, or give the secret again: `authserver admin sign-in-provider update --slug ... --client-secret -`.',
      ],
    },
  ),
} as const;
