import { symptom } from './symptom.js';

/** What stands between an exchange and an upstream's token (RFC 8693 §2.2.2). */
export const brokerSymptoms = {
  'actor-token-at-broker': symptom(
    'invalid_request',
    'actor_token is not accepted for this resource',
    'RFC 8693 §2.1',
    {
      actor_token_at_broker: [
        "The resource hands out an upstream's own tokens, which cannot tell of an actor.",
        'Leave actor_token out: who acts is known from client authentication, and recorded.',
      ],
    },
  ),
  'subject-without-person': symptom('invalid_grant', 'no person stands behind the subject token', 'RFC 8693 §2.2.2', {
    machine_into_broker: [
      'Connected accounts belong to people, and the subject token is about a machine.',
      'Exchange a token that a person allowed.',
    ],
  }),
  'agent-not-attested': symptom('invalid_grant', 'this client acts as no resource of this server', 'RFC 8693 §2.2.2', {
    agent_attestation_unknown_actor: [
      'The client is in the policy.runtime.client_ids of no Mint resource, so that it is not known which MCP server asks.',
      'The operator adds it to that of one: POST /admin/resources/{slug}/policy/runtime/client-ids.',
    ],
  }),
  'agent-ambiguous': symptom(
    'invalid_grant',
    'this client acts as several resources of this server',
    'RFC 8693 §2.2.2',
    {
      agent_attestation_ambiguous_actor: [
        'The client is in the policy.runtime.client_ids of more than one Mint resource, so that it is not known which MCP server asks.',
        'The operator leaves it in that of one, and registers a client of its own for each other MCP server.',
      ],
    },
  ),
  'fronting-link-missing': symptom(
    'invalid_request',
    'no fronting link leads from the resource of the subject token to this one',
    'RFC 8693 §2.1',
    {
      fronting_link_missing: [
        'The client acts as another resource than the one that the subject token is for, and no link leads from that one to the target.',
        'Send the token that was shown to you; or the operator makes the link: POST /admin/fronting.',
      ],
    },
  ),
  'connect-required': symptom('consent_required', 'connect your {provider} account to continue', 'RFC 8693 §2.2.2', {
    connection_missing: [
      'The person never connected an account.',
      'Let the person open consent_url, then send the same request again.',
    ],
    connection_ended: [
      'The person or the operator disconnected the account.',
      'Let the person open consent_url, then send the same request again.',
    ],
    connection_not_consented: [
      'An account is connected, but the person did not let this MCP server use it.',
      'Let the person open consent_url, then send the same request again.',
    ],
    upstream_refused: [
      'Upstream does not accept the credential any more: it was withdrawn there, or expired, or was lost when an answer did not arrive.',
      'Let the person open consent_url and connect again.',
    ],
  }),
  'more-access-needed': symptom('consent_required', 'more access to {provider} is needed', 'RFC 8693 §2.2.2', {
    scope_not_consented: [
      'The person let this MCP server have less than is asked for.',
      'Let the person open consent_url, or ask for less.',
    ],
    scope_not_connected: [
      'Upstream granted less than is asked for.',
      'Let the person open consent_url, or ask for less.',
    ],
  }),
} as const;
