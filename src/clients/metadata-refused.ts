import { OAuthError } from '#libs/oauth';

/** @param problem names the member and what is allowed */
export function metadataRefused(problem: string): OAuthError {
  return new OAuthError('client-metadata-refused', 'metadata_invalid', { fill: { problem } });
}
