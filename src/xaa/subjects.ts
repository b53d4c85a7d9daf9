import { Injectable } from '@nestjs/common';
import type { Assertion } from '#libs/id-jag';
import { OAuthError } from '#libs/oauth';
import { Identities } from '../accounts/identities.js';
import { Users, type User } from '../accounts/users.js';
import { Config } from '../config/config.js';
import { xaaSubjectResolutions } from '../platform/telemetry/protocol-metrics.js';
import type { SubjectBy } from './trust.js';

/** Which of our people an assertion is about (W32). */
@Injectable()
export class Subjects {
  constructor(
    private readonly identities: Identities,
    private readonly users: Users,
    private readonly config: Config,
  ) {}

  /**
   * Who has an identity is that person. Who has none is found by the issuer's word about our accounts, as far as `by` lets it speak,
   * and else gets an account.
   *
   * @throws OAuthError `policy-denied`, `assertion-invalid`
   */
  async person(
    assertion: Assertion,
    by: readonly SubjectBy[],
    facts: Readonly<Record<string, unknown>>,
  ): Promise<{ id: string; version: number }> {
    const { issuer, subject } = assertion;
    const mapped = await this.identities.find(issuer, subject);
    const matched = mapped ? undefined : await this.#named(assertion, by);
    const user = mapped ?? matched ?? (await this.#new(assertion));
    const found = mapped ? 'mapped' : matched ? 'matched' : 'created';
    xaaSubjectResolutions.inc({ outcome: user ? found : 'unmapped' });
    if (!user) throw new OAuthError('policy-denied', 'subject_unmapped', { facts });
    if (user.status !== 'active') throw new OAuthError('assertion-invalid', 'subject_disabled', { facts });
    return { id: user.id, version: user.version };
  }

  async #named({ claims }: Assertion, by: readonly SubjectBy[]): Promise<User | undefined> {
    const { aud_sub: id, email, email_verified: verified } = claims;
    if (by.includes('aud_sub') && typeof id === 'string' && UUID.test(id)) {
      const user = await this.users.find(id.toLowerCase());
      if (user) return user;
    }
    if (!by.includes('email') || verified !== true || typeof email !== 'string') return undefined;
    return this.users.withEmail(email);
  }

  /** An address that the issuer has not seen answered would keep its owner out, and be found by the next issuer's word. */
  #new({ issuer, subject, claims }: Assertion): Promise<User | undefined> {
    if (this.config.xaa.subjectMode === 'strict') return Promise.resolve(undefined);
    const email = claims['email_verified'] === true ? textOf(claims['email']) : undefined;
    return this.identities.findOrCreate({ issuer, subject, email, name: textOf(claims['name']), provider: 'xaa' });
  }
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const textOf = (claim: unknown): string | undefined => (typeof claim === 'string' ? claim : undefined);
