import { OAuthError } from '#libs/oauth';

/** What a client is told of a grant that is switched off: by which setting. */
export const grantDisabled = (
  type: string,
  setting: string | undefined = '',
  facts: Readonly<Record<string, unknown>>,
): OAuthError<'grant-disabled'> =>
  new OAuthError('grant-disabled', 'grant_disabled', { fill: { grant: nameOf(type), setting }, facts });

/** The last part of a URN: `token-exchange`. */
const nameOf = (type: string): string => type.slice(type.lastIndexOf(':') + 1);
