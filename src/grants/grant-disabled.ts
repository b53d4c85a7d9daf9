import { grantName, OAuthError } from '#libs/oauth';

/** What a client is told of a grant that is switched off: by which setting. */
export const grantDisabled = (
  type: string,
  setting: string | undefined = '',
  facts: Readonly<Record<string, unknown>>,
): OAuthError<'grant-disabled'> =>
  new OAuthError('grant-disabled', 'grant_disabled', { fill: { grant: grantName(type), setting }, facts });
