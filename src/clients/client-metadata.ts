import { createHash } from 'node:crypto';
import { keysText } from '#libs/jwt';
import { applicationTypes, authMethods, grantType, OAuthError, redirectKind, redirectUriProblem } from '#libs/oauth';
import type { ClientMetadata, RegistrationSource } from './client.js';
import { readKeyMembers, toKeyMembers, type KeyMembers, type KeyUrlRules } from './key-metadata.js';
import { metadataRefused as refused } from './metadata-refused.js';

/** Client metadata as it stands on the wire (RFC 7591 §2), unchecked. Members this server has no use for are ignored. */
export interface WireMetadata extends KeyMembers {
  readonly client_name?: unknown;
  readonly redirect_uris?: unknown;
  readonly grant_types?: unknown;
  readonly response_types?: unknown;
  readonly token_endpoint_auth_method?: unknown;
  readonly application_type?: unknown;
  readonly agent?: unknown;
  readonly agent_description?: unknown;
  readonly dpop_bound_access_tokens?: unknown;
  readonly client_uri?: unknown;
  readonly logo_uri?: unknown;
  readonly policy_uri?: unknown;
  readonly tos_uri?: unknown;
}

export interface MetadataRules {
  readonly source: RegistrationSource;
  /** `oauth.allowed_redirect_schemes`; operators may register any private-use scheme. */
  readonly allowedSchemes: readonly string[];
  readonly keyUrls?: KeyUrlRules;
  /** In place of what its source allows. */
  readonly allowedGrants?: readonly string[];
}

const MAX_NAME = 200;
const MAX_DESCRIPTION = 255;
const MAX_REDIRECTS = 50;
const MAX_URL = 2048;

const SELF_SERVICE_GRANTS: readonly string[] = [grantType.authorizationCode, grantType.refreshToken];
const ALL_GRANTS: readonly string[] = Object.values(grantType);
const NEEDS_SECRET: readonly string[] = [grantType.clientCredentials, grantType.tokenExchange];

/**
 * What could make a name look like something else: control characters, lone surrogates, direction marks, and what is not
 * seen. Joiners (U+200C, U+200D) may stand within a word: Persian and Indic scripts are spelled with them.
 */
const DECEPTIVE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u2800]|(?![\u200c\u200d])\p{Default_Ignorable_Code_Point}|(?<![\p{L}\p{M}])[\u200c\u200d]|[\u200c\u200d](?![\p{L}\p{M}])/u;

/**
 * The one check of client metadata, whoever sends it: a stranger at registration, a metadata document, an operator.
 *
 * @throws OAuthError `client-metadata-refused` or `redirect-refused`; the description names the member and what is allowed
 */
export function readClientMetadata(members: WireMetadata, rules: MetadataRules): ClientMetadata {
  const grantTypes = readGrantTypes(members, rules);
  const tokenEndpointAuthMethod = readAuthMethod(members, rules);
  const uncovered = grantTypes.find((grant) => NEEDS_SECRET.includes(grant));
  if (tokenEndpointAuthMethod === 'none' && uncovered) {
    throw refused(`grant_types: ${uncovered} needs a token_endpoint_auth_method other than none`);
  }
  refuseForeignSchemes(members);
  return {
    name: readName(members, rules),
    ...readRedirects(members, rules, grantTypes),
    grantTypes,
    responseTypes: readResponseTypes(members, rules, grantTypes),
    tokenEndpointAuthMethod,
    ...readKeyMembers(members, tokenEndpointAuthMethod, rules),
    agent: booleanOf(members.agent, 'agent') ?? false,
    agentDescription: textOf(members.agent_description, 'agent_description', MAX_DESCRIPTION) ?? '',
    dpopBoundAccessTokens: booleanOf(members.dpop_bound_access_tokens, 'dpop_bound_access_tokens') ?? false,
  };
}

/** The wire names of what `update` may change or must keep. */
export function toWire(client: ClientMetadata): WireMetadata {
  return {
    client_name: client.name,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    ...toKeyMembers(client),
    application_type: client.applicationType,
    agent: client.agent,
    agent_description: client.agentDescription,
    dpop_bound_access_tokens: client.dpopBoundAccessTokens,
  };
}

/** Whether a person who consented to `a` should be asked again about `b` (W17). */
export function securityDiffers(a: ClientMetadata, b: ClientMetadata): boolean {
  return authenticationText(a) !== authenticationText(b) || a.redirectUris.join('\n') !== b.redirectUris.join('\n');
}

/** Over what is taken from a document, so that white space and ignored members change nothing. */
export function documentHash(client: ClientMetadata): Buffer {
  const {
    name,
    redirectUris,
    grantTypes,
    responseTypes,
    applicationType,
    agent,
    agentDescription,
    dpopBoundAccessTokens,
  } = client;
  const taken = [
    name,
    redirectUris,
    grantTypes,
    responseTypes,
    applicationType,
    agent,
    agentDescription,
    dpopBoundAccessTokens,
  ];
  return createHash('sha256')
    .update(JSON.stringify([...taken, authenticationText(client)]))
    .digest();
}

/** How a client proves who it is, as one comparable text. */
function authenticationText({ tokenEndpointAuthMethod, keys, jwksUri, assertionAlg }: ClientMetadata): string {
  return JSON.stringify([tokenEndpointAuthMethod, keysText(keys ?? []), jwksUri ?? null, assertionAlg ?? null]);
}

function readName(members: WireMetadata, { source }: MetadataRules): string {
  const name = textOf(members.client_name, 'client_name', MAX_NAME)?.trim() ?? '';
  if (name === '' && source === 'cimd') throw refused('client_name is required');
  return name === '' ? 'Unnamed client' : name;
}

/** A document is the same for all servers, so that grants we have no use for are passed over in it; elsewhere they are refused. */
function readGrantTypes({ grant_types }: WireMetadata, { source, allowedGrants }: MetadataRules): string[] {
  const allowed = allowedGrants ?? (source === 'admin' ? ALL_GRANTS : SELF_SERVICE_GRANTS);
  const asked = textsOf(grant_types, 'grant_types') ?? SELF_SERVICE_GRANTS;
  const granted = asked.filter((grant) => allowed.includes(grant));
  if (source !== 'cimd' && granted.length < asked.length)
    throw refused(`grant_types may contain ${allowed.join(', ')}`);
  if (granted.length === 0) throw refused(`grant_types must contain one of ${allowed.join(', ')}`);
  if (granted.includes(grantType.refreshToken) && !granted.includes(grantType.authorizationCode)) {
    throw refused('grant_types: refresh_token needs authorization_code beside it');
  }
  return granted;
}

function readResponseTypes(
  { response_types }: WireMetadata,
  { source }: MetadataRules,
  grantTypes: string[],
): string[] {
  if (!grantTypes.includes(grantType.authorizationCode)) return [];
  const asked = textsOf(response_types, 'response_types') ?? ['code'];
  const wrong = source === 'cimd' ? !asked.includes('code') : asked.length !== 1 || asked[0] !== 'code';
  if (wrong) throw refused('response_types must be code');
  return ['code'];
}

function readAuthMethod(
  { token_endpoint_auth_method }: WireMetadata,
  { source }: MetadataRules,
): ClientMetadata['tokenEndpointAuthMethod'] {
  const asked = textOf(token_endpoint_auth_method, 'token_endpoint_auth_method', 100);
  if (source === 'cimd') {
    if (asked === undefined || asked === 'none') return 'none';
    if (asked === 'private_key_jwt') return asked;
    throw refused('token_endpoint_auth_method of a metadata document must be none or private_key_jwt');
  }
  const method = authMethods.find((known) => known === (asked ?? 'client_secret_basic'));
  if (!method) throw refused(`token_endpoint_auth_method must be one of ${authMethods.join(', ')}`);
  return method;
}

function readRedirects(
  members: WireMetadata,
  { source, allowedSchemes }: MetadataRules,
  grantTypes: string[],
): Pick<ClientMetadata, 'redirectUris' | 'applicationType'> {
  const redirectUris = textsOf(members.redirect_uris, 'redirect_uris', MAX_URL) ?? [];
  if (redirectUris.length === 0 && grantTypes.includes(grantType.authorizationCode)) {
    throw new OAuthError('redirect-refused', 'redirect_invalid', { fill: { problem: 'redirect_uris is required' } });
  }
  if (redirectUris.length > MAX_REDIRECTS) throw refused(`redirect_uris may contain ${MAX_REDIRECTS} URIs`);
  const applicationType = readApplicationType(members, redirectUris);
  for (const uri of redirectUris) {
    const schemes = source === 'admin' ? [uri.slice(0, uri.indexOf(':')).toLowerCase()] : allowedSchemes;
    const problem = redirectUriProblem(uri, { allowedSchemes: schemes, applicationType });
    if (problem)
      throw new OAuthError('redirect-refused', problem.reason, {
        fill: { problem: `redirect_uris: ${problem.problem}` },
      });
  }
  return { redirectUris, applicationType };
}

/** Omitted: native if every redirect stays on the person's own device (W40). */
function readApplicationType(
  { application_type }: WireMetadata,
  redirectUris: readonly string[],
): ClientMetadata['applicationType'] {
  const asked = textOf(application_type, 'application_type', 100);
  if (asked === undefined) {
    const local =
      redirectUris.length > 0 &&
      redirectUris.every((uri) => ['loopback', 'private-use'].includes(redirectKind(uri) ?? ''));
    return local ? 'native' : 'web';
  }
  const type = applicationTypes.find((known) => known === asked);
  if (!type) throw refused(`application_type must be one of ${applicationTypes.join(', ')}`);
  return type;
}

/** These are not kept, but whoever announces a `javascript:` page is up to no good. */
function refuseForeignSchemes(members: WireMetadata): void {
  for (const name of ['client_uri', 'logo_uri', 'policy_uri', 'tos_uri'] as const) {
    const uri = textOf(members[name], name, MAX_URL);
    if (uri !== undefined && uri !== '' && !/^https?:\/\//i.test(uri)) throw refused(`${name} must be an https URL`);
  }
}

function textOf(value: unknown, name: string, maxLength: number): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw refused(`${name} must be a string`);
  if (value.length > maxLength) throw refused(`${name} may have ${maxLength} characters`);
  if (DECEPTIVE.test(value)) throw refused(`${name} contains characters that are not allowed`);
  return value;
}

function textsOf(value: unknown, name: string, maxLength = 200): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw refused(`${name} must be an array of strings`);
  if (value.length > 100) throw refused(`${name} has too many entries`);
  const texts = value.map((entry: unknown) => {
    const text = textOf(entry, `each of ${name}`, maxLength);
    if (text === undefined) throw refused(`${name} must be an array of strings`);
    return text;
  });
  return [...new Set(texts)];
}

function booleanOf(value: unknown, name: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw refused(`${name} must be true or false`);
  return value;
}
