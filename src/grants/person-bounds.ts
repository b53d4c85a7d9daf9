import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { GroupScopes, leftBy, type Ceiling } from '../accounts/group-scopes.js';
import { Recheck } from '../accounts/recheck.js';
import { heldAtTarget, type Exchange } from './exchange-paths.js';

/** What a person's identity provider leaves them: whether they are still welcome, and what their groups give. */
@Injectable()
export class PersonBounds {
  constructor(
    private readonly groups: GroupScopes,
    private readonly recheck: Recheck,
  ) {}

  /**
   * To be asked last, since an identity provider may have to be. Nothing is spent: after a sign-in there the same refresh token works
   * again (W47). Who was refused stays so, whatever becomes of the provider.
   */
  async requireWelcome(
    { userId, identityRefused }: { readonly userId: string; readonly identityRefused: boolean },
    epoch: number,
    facts: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const verdict = identityRefused ? 'refused' : await this.recheck.verdictOn(userId, epoch);
    if (verdict === 'refused') throw new OAuthError('sign-in-again', 'identity_refused', { facts });
    if (verdict === 'unchecked') throw new OAuthError('sign-in-again', 'identity_unchecked', { facts });
  }

  ceiling(userId: string, resourceId: string, epoch: number): Promise<Ceiling> {
    return this.groups.ceiling(userId, resourceId, epoch);
  }

  /**
   * What groups leave of an exchange: at the resource that the subject token is for, as by now, since the token may be of the time before
   * they changed; and at the target.
   */
  async leave(exchange: Exchange): Promise<{ grouped?: readonly string[]; atMost?: Ceiling }> {
    const { subject, source, target, resources } = exchange;
    const { userId } = subject;
    if (userId === null) return {};
    const at = async (place: { readonly id: string } | undefined): Promise<Ceiling> =>
      place && this.ceiling(userId, place.id, resources.epoch);
    const [there, atMost] = [await at(source), await at(target)];
    if (!there && !atMost) return {};
    const left = { ...exchange, subject: { ...subject, scopes: leftBy(there, subject.scopes) } };
    return { grouped: leftBy(atMost, heldAtTarget(left)), atMost };
  }
}
