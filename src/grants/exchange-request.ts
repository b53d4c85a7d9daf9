import { OAuthError, parseScope, required, tokenType, type Form } from '#libs/oauth';
import { isMint, type BrokerResource, type MintResource, type ResourceSnapshot } from '../resources/resource.js';
import { requireTarget } from '../resources/resources.js';
import type { AccessToken } from '../tokens/access-token-reader.js';

/** A token exchange as it was asked for (RFC 8693 §2.1). */
export interface ExchangeRequest {
  readonly subjectToken: string;
  readonly actorToken?: string;
  /** A URI. Absent: the subject token's own audience. */
  readonly resource?: string;
  readonly scopes?: readonly string[];
}

const READABLE: readonly string[] = [tokenType.accessToken, tokenType.jwt];
const MADE: readonly string[] = [tokenType.accessToken];

/** @throws OAuthError `invalid_request`, and `invalid_target` for an `audience` of another name than `resource` */
export function readExchange(form: Form): ExchangeRequest {
  const subjectToken = required(form, 'subject_token');
  required(form, 'subject_token_type');
  if (form.has('actor_token') !== form.has('actor_token_type'))
    throw new OAuthError('actor-token-type-alone', 'actor_token_incomplete');
  requireType(form, 'subject_token_type', READABLE);
  requireType(form, 'actor_token_type', READABLE);
  requireType(form, 'requested_token_type', MADE);
  const resource = form.get('resource');
  if (form.has('audience') && form.get('audience') !== resource)
    throw new OAuthError('audience-differs', 'audience_differs', { facts: { received: form.get('audience') } });
  const scope = form.get('scope');
  const scopes = scope === undefined ? [] : parseScope(scope).filter((name) => name !== 'offline_access');
  return {
    subjectToken,
    actorToken: form.get('actor_token'),
    resource,
    scopes: scopes.length > 0 ? scopes : undefined,
  };
}

/**
 * The resource that the subject token is for, if it names one.
 *
 * @throws OAuthError when that resource is gone or has moved to another URI: no other audience, and no other path, takes its place
 */
export function sourceOf({ claims, state }: AccessToken, resources: ResourceSnapshot): MintResource | undefined {
  if (state.resourceId === null) return undefined;
  const resource = resources.byId(state.resourceId);
  if (isMint(resource) && claims.aud.includes(resource.uri)) return resource;
  throw new OAuthError('resource-unknown', 'resource_unknown', { facts: { resource: state.resourceId } });
}

/** The resource that is named, or the one that the subject token is for. @throws OAuthError `invalid_target` */
export function targetOf(
  { resource: uri }: ExchangeRequest,
  source: MintResource | undefined,
  resources: ResourceSnapshot,
): MintResource | BrokerResource | undefined {
  return uri === undefined ? source : requireTarget(resources, uri);
}

function requireType(form: Form, parameter: string, known: readonly string[]): void {
  const received = form.get(parameter);
  if (received !== undefined && !known.includes(received))
    throw new OAuthError('token-type-unsupported', 'token_type_unsupported', {
      fill: { parameter },
      facts: { received },
    });
}
