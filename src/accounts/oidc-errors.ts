import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { OAuthError } from '#libs/oauth';
import { FetchFailed, FetchRefused } from '../platform/http-client/fetch-errors.js';

/**
 * What went wrong at an identity provider, as a page: it refused the person, it refused this server, it is away, or what it said
 * may not be believed.
 */
export function signInErrorOf(error: unknown, provider: string, during?: 'discovery'): unknown {
  if (error instanceof OAuthError) return error;
  const chain = causesOf(error);
  const away = chain.find((cause) => cause instanceof FetchFailed);
  const facts = { provider, why: whyOf(chain) };
  if (away || chain.some(isTimeout))
    return new OAuthError('sign-in-upstream-away', 'idp_unavailable', { facts, cause: error });
  if (error instanceof AuthorizationResponseError)
    return new OAuthError('sign-in-refused-upstream', 'idp_denied', {
      facts: { provider, error: printable(error.error) },
    });
  if (error instanceof ResponseBodyError && error.error === 'invalid_grant')
    return new OAuthError('sign-in-refused-upstream', 'idp_code_refused', { facts });
  if (
    error instanceof ResponseBodyError ||
    chain.some((cause) => cause instanceof FetchRefused) ||
    during === 'discovery'
  )
    return new OAuthError('sign-in-misconfigured', 'idp_misconfigured', { facts, cause: error });
  return error instanceof ClientError || error instanceof TypeError
    ? new OAuthError('sign-in-refused-upstream', 'idp_answer_invalid', { facts })
    : error;
}

export function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) chain.push(at);
  return chain;
}

const isTimeout = (cause: unknown): boolean =>
  cause instanceof ClientError && (cause.code === 'OAUTH_TIMEOUT' || cause.code === 'OAUTH_ABORT');

/** The library's own words, which hold nothing of what the provider sent. */
export function whyOf(chain: readonly unknown[]): string {
  return chain
    .map((cause) => (cause instanceof ResponseBodyError ? printable(cause.error) : (cause as Error).message))
    .filter((words) => words !== undefined)
    .join(': ')
    .slice(0, 300);
}

const printable = (code: string): string | undefined => (/^[A-Za-z0-9_.-]{1,64}$/.test(code) ? code : undefined);
