import { Injectable } from '@nestjs/common';
import { newBearerValue, OAuthError } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { Limits, type Limit } from '../platform/ephemeral/limits.js';
import { addressKey } from '../platform/http/address-key.js';
import { requestContext } from '../platform/http/request-context.js';
import { uuid7 } from '../platform/uuid7.js';
import type { WireMetadata } from './client-metadata.js';
import { Clients, type ClientWithSecret } from './clients.js';
import type { RegistrationSecrets } from './registered-view.js';
import { RegistrationMode } from './registration-mode.js';

/** Client metadata beside what only a registration says of itself, unchecked. */
export type WireRegistration = WireMetadata & Readonly<Record<string, unknown>>;

/** Dynamic client registration (RFC 7591): anybody may describe a client, within what the mode and the limit allow. */
@Injectable()
export class Registration {
  readonly #limit: Limit;

  constructor(
    private readonly clients: Clients,
    private readonly mode: RegistrationMode,
    private readonly limits: Limits,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {
    const { rateLimit, rateLimitBurst } = config.dcr;
    this.#limit = { name: 'registration', points: rateLimitBurst, windowSeconds: windowOf(rateLimitBurst, rateLimit) };
  }

  /**
   * @param body parsed JSON, unchecked
   * @throws OAuthError `registration-closed`, `too-many-requests`, `body-unreadable`, `client-metadata-refused`, `redirect-refused`
   */
  async register(body: unknown): Promise<ClientWithSecret & RegistrationSecrets> {
    const mode = await this.mode.get();
    if (mode === 'admin_only') throw new OAuthError('registration-closed', 'dcr_closed');
    await this.takeTurn();
    const members = membersOf(body);
    await this.requireAllowed(members);
    const id = uuid7(this.clock.now());
    const token = this.config.dcr.management ? newBearerValue('rg', id) : undefined;
    const made = await this.clients.create(members, 'dcr', { id, registrationTokenHash: token?.hash });
    return { ...made, registrationToken: token?.value };
  }

  /** @throws OAuthError `registration-closed`, `redirect-refused` unless the mode lets these members through */
  async requireAllowed(members: WireMetadata): Promise<void> {
    const mode = await this.mode.get();
    if (mode === 'admin_only') throw new OAuthError('registration-closed', 'dcr_closed');
    if (mode === 'approved_redirects') this.#requireApproved(members.redirect_uris);
  }

  /** @throws OAuthError `too-many-requests` */
  async takeTurn(): Promise<void> {
    if (!this.config.rateLimit.enabled) return;
    const { allowed, retryAfterSeconds } = await this.limits.take(this.#limit, addressKey(requestContext()?.ip ?? ''));
    if (allowed) return;
    throw new OAuthError('too-many-requests', 'rate_limited', {
      headers: { 'Retry-After': String(retryAfterSeconds) },
    });
  }

  /** Byte for byte, a loopback port too: the list is the operator's. What is no list of strings is refused by whoever reads it. */
  #requireApproved(redirectUris: unknown): void {
    const { approvedRedirects } = this.config.dcr;
    if (!Array.isArray(redirectUris) || redirectUris.every((uri) => approvedRedirects.includes(uri))) return;
    throw new OAuthError('redirect-refused', 'redirect_not_approved', {
      fill: { problem: 'redirect_uris may contain approved URIs only (dcr.approved_redirects)' },
    });
  }
}

/** A full burst again after this long makes `perMinute` on average. */
const windowOf = (burst: number, perMinute: number): number => Math.max(1, Math.ceil((burst / perMinute) * 60));

/** @throws OAuthError `body-unreadable` */
export function membersOf(body: unknown): WireRegistration {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as WireRegistration;
  throw new OAuthError('body-unreadable', 'body_malformed', { fill: { expected: 'a JSON object' } });
}
