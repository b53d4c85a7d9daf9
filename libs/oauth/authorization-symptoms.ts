import { symptom } from './symptom.js';

/** What goes wrong on the way from an authorization request to a code. */
export const authorizationSymptoms = {
  'code-flow-not-registered': symptom(
    'unauthorized_client',
    'this client is not registered for the authorization code flow',
    'RFC 6749 §4.1.2.1',
    {
      code_flow_not_registered: [
        "The client's grant_types does not contain authorization_code.",
        '`authserver admin client update --id ... --grant-types authorization_code,refresh_token`, or register again.',
      ],
    },
  ),
  'response-type-unsupported': symptom('unsupported_response_type', 'response_type must be code', 'RFC 6749 §4.1.2.1', {
    response_type_unsupported: [
      'The request asks for another response type. The implicit grant does not exist here.',
      'Use response_type=code.',
    ],
  }),
  'challenge-required': symptom(
    'invalid_request',
    'code_challenge is required, with code_challenge_method S256',
    'RFC 7636 §4.4.1',
    {
      challenge_missing: ['The request has no code_challenge.', 'Send one; every client needs PKCE here.'],
      challenge_method_unsupported: ['code_challenge_method is absent or not S256.', 'Use S256.'],
      challenge_malformed: [
        'code_challenge is not 43 base64url characters.',
        'code_challenge = BASE64URL(SHA256(code_verifier)).',
      ],
    },
  ),
  'prompt-none': symptom('invalid_request', 'prompt=none is not supported', 'OpenID Connect Core §3.1.2.1', {
    prompt_unsupported: [
      'The request forbids pages, and this server never signs in silently.',
      'Leave prompt out, or use login or consent.',
    ],
  }),
  'user-denied': symptom('access_denied', 'the user did not allow this', 'RFC 6749 §4.1.2.1', {
    user_denied: ['The person pressed Deny.', ''],
  }),
  'scope-unknown': symptom('invalid_scope', 'scope {scope} is not declared by resource {resource}', 'RFC 6749 §3.3', {
    scope_not_in_catalog: [
      'The resource does not declare this scope. Scopes are declared on the resource, not only on the client.',
      'Add it to the resource, or do not ask for it.',
    ],
  }),
  'scope-above-ceiling': symptom(
    'invalid_scope',
    'scope {scope} exceeds what this client may request',
    'RFC 6749 §3.3',
    {
      scope_above_ceiling: [
        "The client's own scope does not contain it.",
        'Raise it with `authserver admin client update --id ... --scope "..."`, or ask for less.',
      ],
    },
  ),
  'scope-beyond-grant': symptom('invalid_scope', 'scope {scope} exceeds what was granted', 'RFC 6749 §6', {
    scope_not_granted: [
      'A refresh may narrow the scope, never widen it.',
      'Ask for less, or start a new authorization request.',
    ],
    scope_beyond_groups: [
      "The person's groups at their identity provider do not give it at this resource, or no longer.",
      'Ask for less; the operator sees what groups give: `authserver admin group-scope list`.',
    ],
  }),
  'scope-empty': symptom('invalid_scope', 'no scope of this resource can be granted to this client', 'RFC 6749 §3.3', {
    scope_missing: ['The request names no scope and oauth.require_scope is on.', 'Send scope.'],
    scope_nothing_left: [
      'What the resource declares and what the client may request have nothing in common.',
      "Change the client's scope or the resource's.",
    ],
    groups_allow_nothing: [
      "The person's groups at their identity provider give nothing of what could be granted at this resource.",
      'The operator maps one of the groups: `authserver admin group-scope set`; or the company puts the person into one that is mapped, and the person signs in again.',
    ],
  }),
  'ceiling-missing': symptom(
    'invalid_scope',
    'this client has no scope of its own, without which it gets no token for itself',
    'RFC 6749 §3.3',
    {
      ceiling_empty: [
        'A client that acts without a person at a consent page may have nothing but what its own scope names, and it names nothing.',
        '`authserver admin client update --id ... --scope "..."`.',
      ],
    },
  ),
  'resource-unknown': symptom('invalid_target', 'resource is not registered{hint}', 'RFC 8707 §2', {
    resource_unknown: [
      'No resource has this URI.',
      'Register it, or copy the registered URI byte for byte, in both requests.',
    ],
    resource_near_miss: [
      'A resource is registered under almost this URI.',
      'Copy the registered URI byte for byte, in both requests.',
    ],
  }),
  'resource-not-mint': symptom(
    'invalid_target',
    'tokens for this resource come from token exchange alone',
    'RFC 8707 §2',
    {
      resource_not_mint: [
        "The resource is served by a broker: its tokens are an upstream provider's, and come from token exchange.",
        'Ask for a resource whose backend_kind is mint, and let its MCP server exchange the token.',
      ],
    },
  ),
  'resource-required': symptom('invalid_target', 'resource is required', 'RFC 8707 §2', {
    resource_missing: [
      'Neither the request nor its assertion names a resource, and xaa.require_resource is on.',
      'Send resource.',
    ],
    resource_ambiguous: [
      'The request names no resource, and the scopes do not tell which one is meant.',
      "Send resource; or set the client's default_resource or oauth.default_resource.",
    ],
  }),
  'resource-repeated': symptom('invalid_target', 'one resource per token', 'RFC 8707 §2', {
    resource_repeated: ['The request names more than one resource.', 'Ask for one token per resource.'],
  }),
  'resource-not-granted': symptom('invalid_target', 'resource was not granted', 'RFC 8707 §2.2', {
    resource_not_granted: [
      'The authorization was given for another resource.',
      'Send the resource of the authorization request, byte for byte, or none.',
    ],
  }),
  'redirect-not-registered': symptom(
    'invalid_request',
    'redirect_uri is not registered for this client',
    'RFC 9700 §2.1',
    {
      redirect_not_registered: [
        "The redirect_uri is not one of the client's, compared byte for byte (only the port of a loopback address may differ).",
        'Register it: `authserver admin client update --id ... --redirect-uris ...`.',
      ],
      redirect_missing: ['The request has no redirect_uri, and the client has none or several.', 'Send redirect_uri.'],
    },
  ),
  'request-expired': symptom('invalid_request', 'this request has expired', 'RFC 6749 §4.1', {
    request_expired: [
      'The page stayed open for more than 10 minutes, or the link was changed.',
      'Go back to the application and start again.',
    ],
  }),
  'flow-of-another-browser': symptom(
    'access_denied',
    'this page was opened in another browser, or its link was changed',
    'RFC 9700 §4.7',
    {
      flow_cookie_mismatch: [
        'The page was opened in another browser than the one that began the flow, or its cookies were cleared; or the link is not, or not whole, as this server made it.',
        'Start again in this browser; open the whole link, as the application shows it.',
      ],
    },
  ),
  'form-not-ours': symptom(
    'access_denied',
    'this form does not come from a page that this server gave to this session',
    'RFC 9700 §4.7',
    {
      csrf_mismatch: ['The form does not belong to this session, or has lost its csrf field.', 'Open the page again.'],
      cross_site_post: ['The form was sent from another site.', 'Open the page itself.'],
    },
  ),
} as const;
