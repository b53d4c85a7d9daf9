import { Injectable } from '@nestjs/common';
import type { Provider } from '../provider.js';
import { asConfigured, ProviderConfig } from '../provider-config.js';
import { ProviderSecrets } from '../provider-secrets.js';
import { requireSecret, type SecretAtHand, type SecretPlace } from '../secret-place.js';
import type { Credential, Traits, UpstreamToken } from './connector.js';
import { OperatorHeld } from './operator-held.js';

const spelling = { inline: 'api_key', reference: 'api_key_ref' };

/** A key that upstream gave the operator. It is handed out as it is: it neither expires nor can be narrowed. */
@Injectable()
export class ApiKeyConnector extends OperatorHeld {
  readonly protocol = 'api_key';
  readonly inlineSecret = spelling.inline;

  constructor(private readonly secrets: ProviderSecrets) {
    super();
  }

  check(configData: string, secret: SecretAtHand): SecretPlace {
    const read = new ProviderConfig(configData);
    const place = requireSecret(spelling, read.secretReference('api_key_ref', 'api_key_env'), secret);
    read.end();
    return place;
  }

  traits(): Traits {
    return { cacheAccessTokens: false, downscope: false };
  }

  async vend(
    provider: Provider,
    _credential: Credential | undefined,
    scopes: readonly string[],
  ): Promise<UpstreamToken> {
    const kept = provider.sealedSecret !== undefined;
    const place = asConfigured(() => this.check(provider.configData, { given: false, kept }));
    return { accessToken: await this.secrets.of(provider, place), scopes };
  }
}
