import { symptom } from './symptom.js';

const AGAIN = 'Get a new assertion from the identity provider.';

/** What is refused of who comes with an assertion of an identity provider (RFC 7523 §3.1, ID-JAG). */
export const xaaSymptoms = {
  'assertion-invalid': symptom('invalid_grant', 'assertion is invalid', 'RFC 7523 §3.1', {
    assertion_malformed: [
      'The assertion is not a signed JWT in compact form, is longer than 16 KiB, or holds a JSON member twice.',
      AGAIN,
    ],
    assertion_typ: [
      'The typ in its header is not exactly oauth-id-jag+jwt; for a workload issuer it is neither absent nor JWT.',
      'Send the identity assertion itself, not an ID token or an access token.',
    ],
    assertion_alg: [
      'It is signed with none, a symmetric algorithm, or one that the named key is not for.',
      'The identity provider signs with ES256, RS256, PS256 or EdDSA.',
    ],
    assertion_key_unknown: ['The issuer has no key with this kid.', AGAIN],
    assertion_signature: ['The signature is not of a key of the issuer.', AGAIN],
    assertion_issuer: ['It names no issuer, or one that is no text.', AGAIN],
    assertion_audience: [
      'Its aud is not exactly our issuer, or what the operator set for this identity provider, alone.',
      'The identity provider names this server, and nobody else, as the audience.',
    ],
    assertion_expired: ['It is past its end.', AGAIN],
    assertion_not_yet_valid: ['Its iat or nbf lies ahead.', 'Check the clocks.'],
    assertion_too_old: [
      'Its iat lies further back than xaa.max_assertion_age, or it lives longer than an hour.',
      AGAIN,
    ],
    assertion_claims: [
      'A claim is missing or not what it must be: sub, tenant, jti, exp, iat, scope, resource, cnf, act.',
      'The identity provider corrects what it issues.',
    ],
    assertion_tenant: [
      'It is for a tenant of this server (aud_tenant), which has none.',
      'The identity provider leaves aud_tenant out.',
    ],
    assertion_details: [
      'It says by authorization_details what it is for, which this server does not know (RFC 9396).',
      'The identity provider says it by scope and resource.',
    ],
    assertion_client: [
      'Its client_id is another client than the one that asks.',
      'The identity provider names the client by the id that it has here.',
    ],
    assertion_key: [
      'It is bound to a key (cnf.jkt), and the request has no proof by that key.',
      'Send a DPoP proof by the key that the assertion was asked for with.',
    ],
    assertion_replayed: ['It was used before, and assertions of its issuer work once.', AGAIN],
    assertion_resource: ['It names a resource that is not registered here.', 'The operator registers it.'],
    assertion_self_issued: ['This server issued it itself.', 'Exchange the token, or use the refresh token.'],
    issuer_untrusted: ['Nobody trusts its issuer here.', 'The operator adds it: POST /admin/idps.'],
    issuer_disabled: ['Its issuer is switched off.', 'The operator switches it on: PUT /admin/idps/{id}.'],
    subject_disabled: ["The person's account is disabled.", 'Ask the operator.'],
  }),
  'policy-denied': symptom('access_denied', 'no policy allows this', 'RFC 7523 §3.1', {
    policy_denied: [
      'No enabled policy of the issuer is for this client, resource, group and claims.',
      'The operator adds one: POST /admin/xaa/policies. The audit row names those that were asked.',
    ],
    subject_unmapped: [
      'The person is nobody here, and xaa.subject_mode is strict.',
      'The operator maps the subject: POST /admin/xaa/subject-mappings.',
    ],
  }),
  'assertion-resource-differs': symptom(
    'invalid_target',
    'resource is not one that the assertion names',
    'RFC 8707 §2',
    {
      assertion_resource_differs: [
        'The request names another resource than the assertion, or none where the assertion names several.',
        'Name one of those for which the assertion was asked.',
      ],
    },
  ),
} as const;
