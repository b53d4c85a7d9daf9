import { Injectable, Logger } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { IdpKeySets } from './idp-key-sets.js';
import { TrustStore } from './trust.store.js';

const FIVE_MINUTES_MILLIS = 300_000;

/** Fetches the keys of trusted issuers before anybody needs them, on one replica, and keeps them for all. */
@Injectable()
export class IdpKeyRefreshJob extends Job {
  readonly name = 'idp-key-refresh';
  override readonly everyMillis = FIVE_MINUTES_MILLIS;
  override readonly attempts = 1;
  readonly #log = new Logger(IdpKeyRefreshJob.name);

  constructor(
    private readonly store: TrustStore,
    private readonly keySets: IdpKeySets,
  ) {
    super();
  }

  async run(): Promise<void> {
    for (const idp of (await this.store.idps()).filter(({ enabled }) => enabled)) {
      const problem = await this.keySets.renew(idp);
      if (problem !== undefined)
        this.#log.warn({ message: 'the keys of a trusted issuer are not to be had', issuer: idp.issuer, problem });
    }
  }
}
