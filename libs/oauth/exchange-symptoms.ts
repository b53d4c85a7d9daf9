import { symptom } from './symptom.js';

/** What a token exchange refuses (RFC 8693 §2.2.2). */
export const exchangeSymptoms = {
  'subject-token-invalid': symptom('invalid_grant', 'subject token is invalid, expired or revoked', 'RFC 8693 §2.2.2', {
    subject_signature: [
      'The subject token is no access token of this server: another issuer, another kind of token, a changed or broken one.',
      'Send an access token that this server issued, unchanged.',
    ],
    subject_expired: ['The subject token is past its end.', 'Get a new one.'],
    subject_revoked: [
      'The token was revoked, or something that it stands on: an earlier token, its family, its consent, its signing key.',
      'Ask the person again.',
    ],
    subject_user_disabled: ["The person's account is disabled or gone.", 'Ask the operator.'],
    subject_client_inactive: [
      'A client through whose hands the token came is suspended, revoked or gone.',
      'Ask the operator.',
    ],
    subject_unknown: ['No such refresh token.', 'Send the refresh token that this server issued last, unchanged.'],
    subject_of_another_client: [
      'The refresh token was issued to another client.',
      'The client that owns it asks for the assertion.',
    ],
    subject_spent: [
      'The refresh token was used, or is just being used. Its family lives: refreshing with it would end that.',
      'Send the newest refresh token.',
    ],
    subject_groups_allow_nothing: [
      "The person's groups at their identity provider give nothing any more at the resource of the subject token.",
      'The operator maps one of the groups, or the company puts the person into one that is mapped.',
    ],
    subject_consent_withdrawn: [
      'The person withdrew the consent, what is left of it is empty, or its resource is gone.',
      'Ask the person again.',
    ],
  }),
  'actor-token-invalid': symptom('invalid_grant', 'actor token is invalid', 'RFC 8693 §2.2.2', {
    actor_invalid: ['The actor token is not active, or is no access token of this server.', 'Get a new one.'],
    actor_of_another_client: [
      'The actor token was issued to another client than the one that asks.',
      'Send a token of your own, or none: who acts is known from client authentication.',
    ],
  }),
  'exchange-denied': symptom('access_denied', 'this client may not do this exchange', 'RFC 8693 §2.2.2', {
    self_exchange_disabled: [
      'The request names no resource, which narrows a token for its own audience; that is off, or the token is not its own.',
      'Name a resource; or the operator sets token_exchange.allow_self_exchange, and the client sends a token of its own.',
    ],
    operator_gate_denied: [
      "The client is not in the target's policy.exchange.allowed_client_ids.",
      'The operator adds it: POST /admin/resources/{slug}/policy/exchange/allowed-clients.',
    ],
    cross_client_denied: [
      "The token was issued to another client, and the target's policy names this one neither in exchange nor in runtime.",
      'The operator adds it to one of the two lists of the target.',
    ],
    fronting_caller_not_authorized: [
      "A fronting link is used only by a client in the source's policy.runtime.client_ids and, where the target lists clients, in its policy.exchange.allowed_client_ids.",
      'The operator adds the client to both.',
    ],
    bound_subject_not_audience: [
      'The subject token is bound to a key of another client, and this client does not act as the resource that the token is for.',
      "The operator adds the client to the policy.runtime.client_ids of the subject token's resource.",
    ],
    chain_too_deep: [
      'The new token would tell of more actors, or stand on more tokens, than allowed.',
      'Shorten the chain, or the operator raises token_exchange.max_chain_depth.',
    ],
    chain_cycle: [
      'The client is in the chain of the subject token already.',
      'Use the token that the client was given the first time.',
    ],
    groups_not_narrowed: [
      "Upstream's token cannot be narrowed, and is good for more than the person's groups give at this resource.",
      'The operator maps one of the groups to all of what upstream gives, or takes the mapping of this resource away.',
    ],
    audience_unregistered: [
      'No operator has said that this client may have identity assertions for this audience.',
      'The operator registers it: POST /admin/xaa/audiences. It is compared byte for byte.',
    ],
    audience_disabled: [
      'The audience is switched off for this client.',
      'The operator switches it on: PUT /admin/xaa/audiences/{id}.',
    ],
    audience_is_resource: [
      'The audience is a resource of this server, not another authorization server.',
      'Get an access token for it in the usual way.',
    ],
  }),
  'consent-required': symptom(
    'consent_required',
    'the user has not allowed this application for this resource',
    'RFC 8693 §2.2.2',
    {
      consent_missing: [
        'The person never allowed the application that began the chain to use the target, or took it back.',
        'Let the person open consent_url, then send the same request again.',
      ],
      scope_not_consented: [
        'The person allowed less of the target than is asked for.',
        'Let the person open consent_url, or ask for less.',
      ],
    },
  ),
  'token-type-unsupported': symptom('invalid_request', '{parameter} is not supported', 'RFC 8693 §2.1, §3', {
    token_type_unsupported: [
      'Access tokens are exchanged for access tokens, and refresh tokens, without an actor token, for identity assertions.',
      'Send urn:ietf:params:oauth:token-type:access_token, or ...:jwt for a subject or actor token; for ...:id-jag a subject token of type ...:refresh_token.',
    ],
  }),
  'actor-token-type-alone': symptom(
    'invalid_request',
    'actor_token_type must be sent with actor_token and only with it',
    'RFC 8693 §2.1',
    { actor_token_incomplete: ['One of actor_token and actor_token_type is there without the other.', 'Send both.'] },
  ),
  'audience-differs': symptom('invalid_target', 'audience must be absent or equal resource', 'RFC 8693 §2.1', {
    audience_differs: ['Targets are named by their URI, in resource.', 'Send resource alone.'],
  }),
  'scope-beyond-subject': symptom(
    'invalid_scope',
    'scope {scope} exceeds what the subject token holds',
    'RFC 8693 §2.1',
    {
      scope_not_held: [
        'An exchange may narrow the scope, never widen it; over a fronting link the subject token must hold a scope that maps to it.',
        'Ask for less, or get a subject token with more.',
      ],
      scope_beyond_groups: [
        "The person's groups at their identity provider do not give it, or no longer: at the target, or at the resource that the subject token is for.",
        'Ask for less; the operator sees what groups give: `authserver admin group-scope list`.',
      ],
    },
  ),
  'id-jag-disabled': symptom(
    'invalid_request',
    'requested_token_type id-jag is not enabled on this server ({setting})',
    'RFC 8693 §2.2.2',
    {
      id_jag_disabled: [
        'The operator has not switched the issuing of identity assertions on.',
        'Set the named setting to true and restart: AUTHPLANE_XAA_ISSUING_ENABLED=true.',
      ],
    },
  ),
  'audience-resource-differs': symptom(
    'invalid_target',
    'resource is not registered for this audience',
    'RFC 8693 §2.2.2',
    {
      audience_resource: [
        'The audience is registered with other resources for this client. They are compared byte for byte.',
        'Name one of those, or none; or the operator adds it: PUT /admin/xaa/audiences/{id}.',
      ],
    },
  ),
  'scope-beyond-audience': symptom(
    'invalid_scope',
    'scope {scope} exceeds what is registered for this audience',
    'RFC 8693 §2.1',
    {
      audience_scope: [
        'The audience is registered with other scopes for this client.',
        'Ask for less, or the operator adds it: PUT /admin/xaa/audiences/{id}.',
      ],
    },
  ),
  'link-of-another-account': symptom('access_denied', 'this link was made for another account', 'RFC 9700 §4.7', {
    link_of_another_account: [
      'A consent link works only for the person whom it asks.',
      'Sign in as that person, and open the link again.',
    ],
  }),
} as const;
