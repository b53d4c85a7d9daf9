import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { ConsentLinks } from '../authorize/consent-links.js';
import type { Client } from '../clients/client.js';
import { Consents } from '../consents/consents.js';
import type { MintResource } from '../resources/resource.js';
import type { IssuanceState } from '../tokens/access-token-reader.js';

export interface GatedScopes {
  /** Asked for; absent: whatever the person allowed of `possible`. */
  readonly requested?: readonly string[];
  /** What is within every other bound. */
  readonly possible: readonly string[];
}

/** Asks whether the person let the application that began the chain use the target; hop two has no consent of its own (W36). */
@Injectable()
export class ConsentGate {
  constructor(
    private readonly consents: Consents,
    private readonly links: ConsentLinks,
  ) {}

  /**
   * @returns the consent to stand on, and the scopes it covers
   * @throws OAuthError `consent_required`, with a link that asks the person (W35)
   */
  async pass(
    { userId, clientId: subjectClientId, consentClientId, resourceId }: IssuanceState,
    acting: Client,
    target: MintResource,
    { requested, possible }: GatedScopes,
  ): Promise<{ consentId: string; scopes: readonly string[] }> {
    const originClientId = consentClientId ?? subjectClientId;
    const consent = await this.consents.current(userId ?? '', originClientId, target.id);
    const covered = possible.filter((scope) => consent?.scopes.includes(scope));
    if (consent && covered.length > 0 && (!requested || covered.length === possible.length))
      return { consentId: consent.id, scopes: covered };
    const link = this.links.make({
      userId: userId ?? '',
      clientId: originClientId,
      resourceId: target.id,
      sourceResourceId: resourceId ?? undefined,
      scopes: possible,
    });
    throw new OAuthError('consent-required', consent ? 'scope_not_consented' : 'consent_missing', {
      members: {
        consent_url: link.url,
        cause: consent ? 'scope_insufficient' : 'consent_missing',
        expires_in: link.expiresInSeconds,
      },
      facts: {
        clientId: acting.id,
        origin_client: originClientId,
        user: userId,
        resource: target.slug,
        scopes: possible,
      },
    });
  }
}
