import { Injectable, Logger } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { IdentityProviders } from './identity-providers.js';
import { OidcClient } from './oidc-client.js';

const FIVE_MINUTES_MILLIS = 300_000;

/** Reads documents and keys of identity providers before anybody needs them, on one replica, and keeps them for all. */
@Injectable()
export class SignInKeyRefreshJob extends Job {
  readonly name = 'sign-in-key-refresh';
  override readonly everyMillis = FIVE_MINUTES_MILLIS;
  override readonly attempts = 1;
  readonly #log = new Logger(SignInKeyRefreshJob.name);

  constructor(
    private readonly providers: IdentityProviders,
    private readonly client: OidcClient,
  ) {
    super();
  }

  async run(): Promise<void> {
    for (const provider of await this.providers.all())
      await this.client.renew(provider).catch((error: unknown) =>
        this.#log.warn({
          message: 'the keys of an identity provider are not to be had',
          provider: provider.slug,
          error: String(error),
        }),
      );
  }
}
