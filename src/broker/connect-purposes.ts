import { Injectable } from '@nestjs/common';
import { OAuthError, type Form } from '#libs/oauth';
import { ConnectLinks, type ConnectPurpose } from './connect-links.js';
import { ConnectPlans } from './connect-plan.js';
import { ReturnUrls } from './return-urls.js';

export interface SealedPurpose {
  readonly sealed: string;
  readonly purpose: ConnectPurpose;
}

/** What somebody came to the connect page for: the question of a link, or an errand of their own. */
@Injectable()
export class ConnectPurposes {
  constructor(
    private readonly links: ConnectLinks,
    private readonly plans: ConnectPlans,
    private readonly returnUrls: ReturnUrls,
  ) {}

  /**
   * Out of the query of a link. An application may put a `return_url` behind a link that it was given; from here on it is sealed in.
   *
   * @throws OAuthError for a page
   */
  async of(slug: string, query: Form): Promise<SealedPurpose> {
    const request = query.get('request');
    const returnUrl = query.get('return_url');
    if (request !== undefined && returnUrl === undefined) return { sealed: request, purpose: this.open(request, slug) };
    if (request === undefined) return this.#errand(slug, query.get('resource'), returnUrl);
    const purpose = this.open(request, slug);
    const target = await this.plans.targetOf(purpose);
    this.returnUrls.require(returnUrl ?? '', target);
    const changed = { ...purpose, returnUrl };
    return { sealed: this.links.sealAgain(request, changed), purpose: changed };
  }

  /**
   * What was sealed here.
   *
   * @param slug the provider on whose page it is shown
   * @throws OAuthError for a page
   */
  open(sealed: string, slug: string): ConnectPurpose {
    const purpose = this.links.open(sealed);
    if (purpose.providerSlug === slug) return purpose;
    const facts = { provider: slug.slice(0, 63), expected: purpose.providerSlug };
    throw new OAuthError('connect-link-unknown', 'connect_link_of_another_provider', { facts });
  }

  /** The page of a sealed request. @throws OAuthError for a page */
  slugOf(sealed: string): string {
    return this.links.open(sealed).providerSlug;
  }

  async #errand(slug: string, resource: string | undefined, returnUrl: string | undefined): Promise<SealedPurpose> {
    const target = await this.plans.target(slug, resource);
    if (returnUrl !== undefined) this.returnUrls.require(returnUrl, target);
    const purpose = { targetResourceId: target.id, providerSlug: slug, returnUrl };
    return { sealed: this.links.seal(purpose), purpose };
  }
}
