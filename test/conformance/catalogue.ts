/**
 * Every requirement this server is held to, by id.
 *
 * A test says what it covers at the start of its title, or of the title of a `describe` around it:
 *
 *     it('[A13 B1] refuses a redirect URI that differs by one byte', …)
 *     describe('[9207.1] the issuer in the authorization response', …)
 *
 * Ids stand in one pair of square brackets, separated by single spaces. `conformance.spec.ts` collects the titles of all spec
 * files and fails on an id of this catalogue that no test names and on an id that this catalogue does not know; skipped tests
 * cover nothing. The outcome is docs/reference/conformance.md, rewritten by `npx vitest run test/conformance -u`.
 *
 * Ids: A, R: MCP Authorization 2026-07-28, server and resource server · B: RFC 9700 · M: Client ID Metadata Documents -02 ·
 * D: RFC 9449 · J: RFC 7523 · U: the update draft of RFC 9700 · X: RFC 8693 · `9207.1`: rule 1 of that RFC · P: parser rules ·
 * K: what clients in the field need.
 */
export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'RULE';

export interface Requirement {
  readonly id: string;
  /** RFC 2119 level of the source; RULE: our own decision. */
  readonly level: Level;
  readonly text: string;
  readonly source: string;
  /** Not required yet: the number of the issue in which it will be. */
  readonly issue?: number;
  /** An option of the source that this server does not take, and why. Never for a MUST. */
  readonly declined?: string;
}

type Row = readonly [
  id: string,
  level: Level,
  text: string,
  source: string,
  rest?: Pick<Requirement, 'issue' | 'declined'>,
];

const later = (issue: number) => ({ issue });
const declined = (reason: string) => ({ declined: reason });

const mcp = 'MCP Authorization 2026-07-28';
const rows: readonly Row[] = [
  // The authorization server
  ['A1', 'MUST', 'only the code flow with PKCE and the refresh grant for people; no implicit, no password grant', mcp],
  ['A2', 'MUST', 'metadata by RFC 8414, and by OpenID discovery', mcp],
  ['A3', 'MUST', 'code_challenge_methods_supported is in both metadata documents', mcp],
  ['A4', 'MUST', 'the issuer in the metadata is the configured one, character for character', mcp],
  ['A5', 'SHOULD', 'a client without prior relationship may use a metadata document; the metadata says so', mcp],
  ['A6', 'MAY', 'dynamic registration in three modes', mcp],
  ['A7', 'SHOULD', 'iss in the authorization response, on success and on error', mcp],
  ['A8', 'MUST', 'authorization_response_iss_parameter_supported is true', mcp],
  ['A9', 'SHOULD', 'access tokens are short-lived', mcp],
  ['A10', 'MUST', 'refresh tokens of public clients rotate', mcp],
  ['A11', 'MUST', 'the issuer is https, or http on this machine only', mcp],
  ['A12', 'MUST', 'a redirect URI is https or loopback; another scheme only where the operator allows it', mcp],
  ['A13', 'MUST', 'the redirect URI equals the registered one; only the port of a loopback address is free', mcp],
  ['A14', 'MUST', 'nothing is redirected when the client or its redirect URI was not recognised', mcp],
  ['A15', 'SHOULD', 'a person sees a page before the first redirect to a self-registered client', mcp],
  ['A16', 'SHOULD', 'a client id that is a URL is resolved to its metadata document', mcp],
  ['A17', 'MUST', 'the document names its own URL as client_id, has client_name and redirect_uris', mcp],
  ['A18', 'MUST', 'the redirect URI is one of the document', mcp],
  ['A19', 'SHOULD', 'the document is cached as its HTTP headers say, within bounds', mcp],
  ['A20', 'MUST', 'fetching a document reaches no special-use address', mcp],
  ['A21', 'SHOULD', 'the consent page warns of a client whose redirect is this machine', mcp],
  ['A22', 'MUST', 'the consent page shows the host of the redirect URI plainly', mcp],
  ['A23', 'MAY', 'allowed and denied hosts of metadata documents', mcp],
  ['A24', 'MAY', 'refresh tokens only for clients registered for them', mcp],
  [
    'A25',
    'MAY',
    'redundant scopes of a union are collapsed',
    mcp,
    declined('scope names are never parsed; the answer names every granted scope'),
  ],
  ['A26', 'SHOULD', 'application_type decides which redirect URIs may be registered', mcp],
  ['A27', 'MUST', 'a proxy with one static upstream client asks each person for each client', mcp, later(4)],

  // The resource server: examples/mcp-server
  ['R1', 'MUST', 'protected resource metadata is served and names an authorization server', mcp],
  ['R2', 'SHOULD', 'the 401 challenge names the scopes to ask for', mcp],
  ['R3', 'MUST', 'only tokens whose audience is this server are accepted', mcp],
  ['R4', 'MUST', '401 for a missing, invalid or expired token, 403 for a scope', mcp],
  ['R5', 'SHOULD', 'the 403 challenge carries insufficient_scope, all scopes needed, and resource_metadata', mcp],
  ['R6', 'MUST', 'a broader scope includes the narrower ones', mcp],
  ['R7', 'MUST', "the client's token is not passed on to an upstream", mcp, later(4)],
  ['R8', 'SHOULD', 'offline_access is in no challenge and no resource metadata', mcp],
  [
    'R9',
    'SHOULD',
    'scheme and host of a resource URI may be in upper case',
    mcp,
    declined('byte for byte, so that one resource has one audience; the near miss is named'),
  ],

  // RFC 9700
  ['B1', 'MUST', 'redirect URIs are compared as strings; only a loopback port may vary', 'RFC 9700 §2.1, §4.1'],
  ['B2', 'MUST', 'no open redirector', 'RFC 9700 §2.1, §4.11'],
  ['B3', 'MUST', 'cross-site request forgery of the flow is stopped', 'RFC 9700 §2.1'],
  ['B4', 'SHOULD', 'mix-up defence by iss', 'RFC 9700 §2.1, §4.4'],
  ['B5', 'MUST', 'PKCE is supported, published and enforced', 'RFC 9700 §2.1.1'],
  ['B6', 'MUST', 'no PKCE downgrade: a request without a challenge gets no code', 'RFC 9700 §2.1.1, §4.8'],
  ['B7', 'MUST', 'every client uses PKCE, confidential ones too', 'RFC 9700 §2.1.1'],
  ['B8', 'SHOULD', 'no implicit grant', 'RFC 9700 §2.1.2'],
  ['B9', 'SHOULD', 'access tokens can be bound to a key', 'RFC 9700 §2.2.1'],
  ['B10', 'MUST', 'a reused refresh token of a public client revokes its family', 'RFC 9700 §2.2.2, §4.14'],
  [
    'B11',
    'MUST',
    'a refresh token is bound to the scope and resource consented, and expires when idle',
    'RFC 9700 §4.14.2',
  ],
  ['B12', 'SHOULD', 'an access token has one audience and no scope beyond what was allowed', 'RFC 9700 §2.3'],
  ['B13', 'MUST', 'no password grant', 'RFC 9700 §2.4'],
  ['B14', 'SHOULD', 'clients can authenticate with a key pair', 'RFC 9700 §2.5'],
  ['B15', 'SHOULD', 'no client can have the sub of a person', 'RFC 9700 §2.6, §4.15'],
  ['B16', 'SHOULD', 'forwarded headers count only from a trusted proxy', 'RFC 9700 §2.6, §4.13'],
  ['B17', 'SHOULD', 'pages load nothing from third parties and send no referrer', 'RFC 9700 §4.2'],
  ['B18', 'MUST', 'a code is bound to its client and verifier; its reuse revokes what it gave', 'RFC 9700 §4.5'],
  ['B19', 'MUST', 'after a POST with credentials 303, never 307', 'RFC 9700 §4.12'],
  ['B20', 'MUST', 'no page can be framed', 'RFC 9700 §4.16'],
  ['B21', 'MUST', 'no answer by postMessage: pages run no script', 'RFC 9700 §4.17'],
  ['B22', 'MUST', 'no CORS at the authorization endpoint', 'RFC 9700 §2.1'],

  // Client ID Metadata Documents
  ['M1', 'MUST', 'the URL is https with a path, without userinfo, fragment or dot segments', 'CIMD -02 §3'],
  ['M2', 'MUST', 'client ids are compared as strings', 'CIMD -02 §3'],
  ['M3', 'MUST', 'only status 200 is a document', 'CIMD -02 §4'],
  ['M4', 'MUST', 'redirects are not followed', 'CIMD -02 §4'],
  ['M5', 'MUST', 'client_id in the document equals its URL', 'CIMD -02 §4.1'],
  ['M6', 'MUST', 'no symmetric authentication and no secret in a document', 'CIMD -02 §4.1'],
  ['M7', 'SHOULD', 'the media type is JSON', 'CIMD -02 §4'],
  ['M8', 'MUST', 'special-use addresses are refused when dialling', 'CIMD -02 §6'],
  ['M9', 'SHOULD', 'size and time of a fetch are bounded', 'CIMD -02 §6'],
  ['M10', 'MUST', 'only known URI schemes in a document', 'CIMD -02 §6'],
  ['M11', 'MUST', 'errors and invalid documents are not cached as documents', 'CIMD -02 §4.4'],
  ['M12', 'SHOULD', 'the document is fetched again when stale; a failed fetch ends the request', 'CIMD -02 §4.4'],
  ['M13', 'MUST', 'a declared private_key_jwt is enforced', 'CIMD -02 §6'],
  [
    'M14',
    'SHOULD',
    'the consent page shows the host of the client id; no logo is loaded from elsewhere',
    'CIMD -02 §6',
  ],
  ['M15', 'MAY', 'a changed document asks for consent again', 'CIMD -02 §6'],
  ['M16', 'SHOULD', 'client ids made here do not begin with https://', 'CIMD -02 §6'],
  ['M17', 'MAY', 'an operator may store and edit a client of a metadata document', 'CIMD -02 §6'],

  // DPoP
  [
    'D1',
    'MUST',
    'exactly one DPoP header: a JWT with typ dpop+jwt, an asymmetric algorithm, a public key and its signature',
    'RFC 9449 §4.2, §4.3',
  ],
  ['D2', 'MUST', 'htm is the method and htu the configured URL of the endpoint, whatever Host says', 'RFC 9449 §4.3'],
  ['D3', 'MUST', 'iat is within the window, and the nonce is a live one', 'RFC 9449 §4.3'],
  ['D4', 'MUST', 'with an access token, ath is its hash and the key the one it is bound to', 'RFC 9449 §4.3', later(3)],
  ['D5', 'MUST', 'a token given to a proof is bound to its key and has token_type DPoP', 'RFC 9449 §5'],
  ['D6', 'MUST', 'refresh tokens of public clients are bound to the key', 'RFC 9449 §5'],
  ['D7', 'MUST', 'a wrong proof is invalid_dpop_proof, with 400 at the token endpoint', 'RFC 9449 §5'],
  ['D8', 'MAY', 'dpop_signing_alg_values_supported in the metadata', 'RFC 9449 §5.1'],
  ['D9', 'MUST', 'who has dpop_bound_access_tokens gets no token without a proof', 'RFC 9449 §5.2'],
  ['D10', 'MUST', 'the confirmation is cnf.jkt, in the token and in introspection', 'RFC 9449 §6'],
  ['D11', 'MUST', 'a resource server refuses a bound token that is sent as a bearer token', 'RFC 9449 §7', later(3)],
  ['D12', 'MUST', 'a wanted nonce is asked for with use_dpop_nonce and DPoP-Nonce', 'RFC 9449 §8'],
  ['D13', 'MAY', 'nonces of a resource server', 'RFC 9449 §9', later(3)],
  ['D14', 'MAY', 'dpop_jkt binds the code to a key', 'RFC 9449 §10'],
  ['D15', 'MUST', 'a proof at pushed authorization requests is as good as dpop_jkt', 'RFC 9449 §10.1', later(3)],
  ['D16', 'MUST', 'a proof counts once, in all processes, whatever is restarted', 'RFC 9449 §11.1'],
  ['D17', 'MUST', 'a nonce cannot be guessed, nor left out once it is wanted', 'RFC 9449 §11.2, §11.3'],
  ['D18', 'MUST', 'no other signed JWT serves as a proof; asymmetric algorithms only', 'RFC 9449 §11.5, §11.6'],
  ['D19', 'SHOULD', 'codes can be bound to a key; a key alone authenticates no client', 'RFC 9449 §11.9, §11.11'],

  // Token exchange
  ['X1', 'MUST', 'subject_token and its type; an actor token only with its type', 'RFC 8693 §2.1'],
  ['X2', 'MAY', 'resource, audience, scope, requested_token_type; one target per token', 'RFC 8693 §2.1'],
  ['X3', 'MUST', 'the tokens are validated for their type; clients authenticate', 'RFC 8693 §2.1'],
  ['X4', 'MUST', 'the answer has access_token, issued_token_type, token_type, and no refresh token', 'RFC 8693 §2.2.1'],
  ['X5', 'MUST', 'a bad token and a bad target are told apart', 'RFC 8693 §2.2.2'],
  ['X6', 'MUST', 'act is the current actor, earlier ones are nested in it', 'RFC 8693 §4.1'],
  [
    'X7',
    'MAY',
    'may_act limits who may act',
    'RFC 8693 §4.4',
    declined('no token of this server carries it: who may act is policy of the target, which an operator can change'),
  ],
  ['X8', 'RULE', 'no impersonation: another client than the one of the token is always an actor', 'RFC 8693 §1.1'],
  [
    'X9',
    'RULE',
    'the chain is bounded, has no circle, and is in token, introspection and audit alike',
    'RFC 8693 §4.1',
  ],
  ['X10', 'RULE', 'scope, audience and lifetime never exceed the subject token and policy', 'RFC 8693 §5'],

  // Assertions (RFC 7521, 7523 and rfc7523bis)
  [
    'J1',
    'MUST',
    'an assertion has iss, sub, aud and exp; expired, early and too long-lived ones are refused',
    'RFC 7523 §3',
  ],
  [
    'J2',
    'MUST',
    'for client authentication iss and sub are the client; a client_id beside it must be the same',
    'RFC 7523 §3',
  ],
  ['J3', 'MUST', 'the issuer is the sole audience of a client assertion', 'rfc7523bis §4'],
  ['J4', 'MAY', 'the jti of a client assertion works once', 'RFC 7523 §3'],
  ['J5', 'MUST', 'asymmetric algorithms only, fixed by the key and the registration', 'RFC 8725 §3.1'],
  [
    'J6',
    'MUST',
    'a bad assertion grant is invalid_grant, a bad client assertion invalid_client',
    'RFC 7523 §3.1, §3.2',
  ],
  ['J7', 'SHOULD', 'the assertion grant gives no refresh token', 'RFC 7521 §4.1'],

  // Identity assertions (ID-JAG; MCP enterprise-managed authorization)
  [
    'E1',
    'MUST',
    'an identity assertion is had by token exchange, for one audience',
    'MCP enterprise-managed authorization',
  ],
  ['E2', 'MUST', 'authorization_grant_profiles_supported names the profile', 'MCP enterprise-managed authorization'],
  [
    'E4',
    'MUST',
    'a trusted key, a fixed list of algorithms, iss, aud, sub, iat, exp',
    'MCP enterprise-managed authorization',
  ],
  ['E5', 'MUST', 'key sets are fetched with bounds, and keys may be changed', 'MCP enterprise-managed authorization'],
  ['E6', 'MUST', 'the jti works once, by issuer and subject', 'MCP enterprise-managed authorization'],
  ['E7', 'MUST', 'a resource in the assertion is registered here', 'MCP enterprise-managed authorization'],
  ['E8', 'MUST', 'audience and scope stay within the assertion', 'MCP enterprise-managed authorization'],
  ['E9', 'MUST', 'the client authenticates as registered', 'MCP enterprise-managed authorization'],
  [
    'E10',
    'MUST',
    'audiences have their resources, and other pairs are refused',
    'MCP enterprise-managed authorization',
  ],
  ['U1', 'SHOULD', 'the token endpoint as audience only behind a legacy switch', 'RFC 9700 update draft'],
  [
    'U2',
    'SHOULD',
    'each provider has a redirect URI of its own, and iss of a callback is the provider’s',
    'RFC 9700 update draft',
  ],
  ['U3', 'SHOULD', 'connecting an account ends only in the session that began it', 'RFC 9700 update draft'],

  // Other RFCs, one row per rule
  ['9207.1', 'MUST', 'iss is in every redirect to the client, success and error', 'RFC 9207 §2'],
  ['9207.2', 'MUST', 'the value is the issuer of the metadata, and the metadata advertises it', 'RFC 9207 §2.4, §3'],
  ['9068.1', 'MUST', 'access tokens have typ at+jwt, an asymmetric algorithm and a published kid', 'RFC 9068 §2.1'],
  ['9068.2', 'MUST', 'access tokens carry iss, exp, aud, sub, client_id, iat and jti', 'RFC 9068 §2.2'],
  ['9068.3', 'MUST', 'aud is the resource of the request; scope is what was granted', 'RFC 9068 §2.2.3, §3'],
  ['9068.4', 'SHOULD', 'no personal data in an access token', 'RFC 9068 §6'],
  ['7009.1', 'MUST', 'the client authenticates and revokes only its own tokens', 'RFC 7009 §2.1'],
  ['7009.2', 'MUST', 'an unknown token is answered with 200', 'RFC 7009 §2.2'],
  ['7009.3', 'SHOULD', 'revoking a refresh token revokes the access tokens of its family', 'RFC 7009 §2.1'],
  ['7662.1', 'MUST', 'introspection wants an authenticated, confidential caller', 'RFC 7662 §2.1'],
  ['7662.2', 'MUST', 'an inactive token is answered with exactly active: false', 'RFC 7662 §2.2'],
  ['7662.3', 'MUST', 'a caller learns nothing about tokens for other audiences', 'RFC 7662 §4'],
  ['8707.1', 'MUST', 'resource is an absolute URI without fragment; an unknown one is invalid_target', 'RFC 8707 §2'],
  ['8707.2', 'MUST', 'resource at the token endpoint is what was granted, or invalid_target', 'RFC 8707 §2.2'],
  [
    '7591.1',
    'MUST',
    'registration answers 201 with the effective metadata and ignores unknown members',
    'RFC 7591 §3.2.1',
  ],
  ['7591.2', 'MUST', 'a refused registration says invalid_redirect_uri or invalid_client_metadata', 'RFC 7591 §3.2.2'],
  ['7591.3', 'SHOULD', 'registration is limited per address', 'RFC 7591 §5'],
  ['7592.1', 'MAY', 'a client may manage its registration', 'RFC 7592'],
  ['7592.2', 'MUST', 'the registration token is needed, and 401 tells nobody which clients exist', 'RFC 7592 §2, §4'],
  ['8414.1', 'MUST', 'metadata is served at the path-inserted URL of an issuer with a path', 'RFC 8414 §3.1'],
  [
    '9728.1',
    'MUST',
    'resource metadata is served for every registered resource and names it byte for byte',
    'RFC 9728 §3',
  ],
  ['9728.2', 'MUST', 'unknown resources have no metadata: 404', 'RFC 9728 §3'],
  ['9126.1', 'MAY', 'pushed authorization requests', 'RFC 9126', later(3)],

  // What may be read
  ['P1', 'MUST', 'a repeated parameter is invalid_request', 'RFC 6749 §3.1, §3.2'],
  [
    'P2',
    'RULE',
    'a repeated JSON member is refused: JWT header and claims, metadata document, registration',
    'RFC 8259 §4',
  ],
  [
    'P3',
    'MUST',
    'forms are application/x-www-form-urlencoded at token, revocation and introspection',
    'RFC 6749 §4.1.3',
  ],
  ['P4', 'MUST', 'an empty parameter is an absent one', 'RFC 6749 §3.1'],
  [
    'P5',
    'RULE',
    'NUL, control characters, broken UTF-8 and broken percent-encoding are refused',
    'RFC 6749 Appendix A',
  ],
  ['P6', 'RULE', 'over-long values, forms, URLs and scopes are refused', 'RFC 9110 §15.5.14'],
  ['P7', 'RULE', 'redirect URIs with userinfo, backslash, tab, newline or mixed encodings are refused', 'RFC 3986'],
  ['P8', 'RULE', 'the host a person is shown is the host the browser goes to (punycode, userinfo)', 'RFC 3986 §7.6'],

  // What clients in the field need
  [
    'K1',
    'RULE',
    'the same metadata at every path variant, members absent rather than null, CORS open, never 5xx',
    'official SDKs',
  ],
  [
    'K2',
    'RULE',
    'token endpoint on the issuer origin, S256 only, method none listed, no scopes_supported',
    'official SDKs',
  ],
  [
    'K3',
    'RULE',
    'a missing resource is found or refused as invalid_target; at token and refresh it is the granted one',
    'claude.ai, Codex',
  ],
  ['K4', 'RULE', 'a token answer always has scope, expires_in, token_type and no-store', 'official SDKs'],
  [
    'K5',
    'RULE',
    'an unknown client is invalid_client, a transient fault 503 with Retry-After and a JSON body',
    'official SDKs',
  ],
  [
    'K6',
    'RULE',
    'a refresh repeated at once by a confidential client gets the same answer; later it ends the family',
    'official SDKs',
  ],
  ['K7', 'RULE', 'limits count per client and address; 429 has Retry-After and a JSON body', 'hosted agents'],
  ['K8', 'RULE', 'ids and secrets need no encoding in HTTP Basic', 'official SDKs'],
];

export const catalogue: readonly Requirement[] = rows.map(([id, level, text, source, rest]) => ({
  id,
  level,
  text,
  source,
  ...rest,
}));
