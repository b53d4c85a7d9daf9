import { symptom } from './symptom.js';

/** What a person meets on the way to a connected account, and on the page of them. */
export const connectSymptoms = {
  'connect-target-unknown': symptom('invalid_target', 'there is no such account to connect', 'RFC 8707 §2', {
    provider_unknown: ['No provider has this name.', 'Open the link as the application shows it.'],
    connect_step_missing: [
      "The operator's own credential serves everybody at this provider, so that nobody connects an account.",
      'Nothing has to be connected: send the request again.',
    ],
    resource_not_of_provider: [
      'The resource is gone, or its tokens do not come from this provider.',
      'Name a broker resource of this provider in resource, or none if there is only one.',
    ],
  }),
  'connect-link-unknown': symptom(
    'invalid_request',
    'this link to connect an account is not one that this server made for this page',
    'RFC 9700 §4.7',
    {
      connect_link_changed: [
        'The link to the connect page was changed, cut, or not made by this server.',
        'Open the whole link, as the application shows it.',
      ],
      connect_link_of_another_provider: [
        'The link was made for the page of another provider.',
        'Open the link as the application shows it.',
      ],
    },
  ),
  'return-url-refused': symptom('invalid_request', 'return_url is not an allowed address', 'RFC 9700 §4.11', {
    return_url_not_allowed: [
      "The address is neither on connect.allowed_return_urls nor on the resource's policy.connect.allowed_return_urls, byte for byte; or is neither https nor http on localhost.",
      'The operator adds it: `POST /admin/resources/{slug}/policy/connect/allowed-return-urls`.',
    ],
  }),
  'connect-flow-over': symptom(
    'invalid_request',
    'this attempt to connect an account is over; open the link again',
    'RFC 9700 §4.7, §4.4',
    {
      state_unknown: ['The state is none of this server, or was changed.', 'Begin again.'],
      state_spent: ['The provider sent the browser back a second time; a state is used once.', 'Begin again.'],
      state_expired: ['More than 10 minutes passed at the provider.', 'Begin again.'],
      state_of_another_provider: [
        'The state belongs to a flow with another provider than the one whose callback was opened.',
        'Begin again; if it happens again, look for a redirect URI that is registered at the wrong provider.',
      ],
      issuer_differs: [
        'The iss of the callback is not the issuer of the provider, or is missing where it must be there (mix-up, RFC 9207).',
        "Begin again; the operator compares the provider's issuer with what the provider sends.",
      ],
      provider_changed: ['The operator changed the provider while the person was there.', 'Begin again.'],
      connect_changed_meanwhile: [
        'The session ended, or the person, the provider or the MCP server changed while the provider answered.',
        'Begin again.',
      ],
    },
  ),
  'connect-of-another-session': symptom(
    'access_denied',
    'this connection was started in another session',
    'draft-ietf-oauth-security-topics-update (cross-user session fixation)',
    {
      session_missing: [
        'The provider sent back a browser in which nobody is signed in here.',
        'Begin again in the browser in which you are signed in.',
      ],
      session_differs: [
        'The flow was begun in another session: by somebody else, in another browser, or before signing in again.',
        'Begin again. Whoever opened a link of somebody else has connected nothing.',
      ],
    },
  ),
  'connect-refused-upstream': symptom(
    'access_denied',
    'the provider did not let the account be connected',
    'RFC 6749 §4.1.2.1, §5.2',
    {
      upstream_denied: ['The provider sent the browser back with an error.', 'Begin again.'],
      upstream_code_refused: ['The provider does not accept the code that it gave.', 'Begin again.'],
    },
  ),
  'connect-upstream-away': symptom(
    'temporarily_unavailable',
    'the provider does not answer; nothing was connected',
    'RFC 6749 §4.1.2.1',
    { upstream_unavailable: ['The provider timed out, limits requests, or answered nonsense.', 'Begin again later.'] },
  ),
  'connect-misconfigured': symptom(
    'temporarily_unavailable',
    'the operator of this server has to set up {provider} first; nothing was connected',
    'RFC 6749 §5.2',
    {
      upstream_misconfigured: [
        'The provider refuses this server: a wrong client id or secret, redirect URI or scope. The audit row has its code.',
        "Operators: compare the provider's config_data with what is registered there.",
      ],
      refresh_token_missing: [
        'The provider gave no refresh token, without which access would end within the hour.',
        'Operators: ask for offline access (Google: extra_auth_params access_type=offline and prompt=consent; others: a scope such as offline_access); or set refresh_token to optional if the access tokens of this provider do not expire.',
      ],
    },
  ),
  'sign-in-required': symptom(
    'access_denied',
    'sign in first',
    'RFC 9110 §15.5.2',
    { session_missing: ['The request has no session of this server.', 'Sign in at /login.'] },
    401,
  ),
} as const;
