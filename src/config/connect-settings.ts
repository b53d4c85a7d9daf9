import { IsIssuer, IsReturnUrl, Each } from './setting-checks.js';
import { ignored, list, text } from './setting.js';

export class ConnectSettings {
  @list('allowed_return_urls', {
    about: 'Where the connect page may send a person back to, byte for byte, beside what a resource allows itself.',
  })
  @Each(IsReturnUrl())
  readonly allowedReturnUrls: readonly string[];

  @text('redirect_base_url', {
    defaultText: 'the issuer',
    about: 'What stands before /connect in the links that people open and in the redirect URIs that providers know.',
  })
  @IsIssuer()
  readonly redirectBaseUrl?: string;

  @ignored('state_secret', 'The state of a connect flow is a row that is used once, and no signed value.')
  readonly stateSecret?: never;
}
