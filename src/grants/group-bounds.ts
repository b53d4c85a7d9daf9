import { Injectable } from '@nestjs/common';
import { GroupScopes, leftBy, type Ceiling } from '../accounts/group-scopes.js';
import { heldAtTarget, type Exchange } from './exchange-paths.js';

/** What a person's groups leave of an exchange. */
@Injectable()
export class GroupBounds {
  constructor(private readonly groups: GroupScopes) {}

  /** At the resource that the subject token is for, as by now, since the token may be of the time before they changed; and at the target. */
  async leave(exchange: Exchange): Promise<{ grouped?: readonly string[]; atMost?: Ceiling }> {
    const { subject, source, target, resources } = exchange;
    if (subject.userId === null) return {};
    const at = async (place: { readonly id: string } | undefined): Promise<Ceiling> =>
      place && this.groups.ceiling(subject.userId ?? '', place.id, resources.epoch);
    const [there, atMost] = [await at(source), await at(target)];
    if (!there && !atMost) return {};
    const left = { ...exchange, subject: { ...subject, scopes: leftBy(there, subject.scopes) } };
    return { grouped: leftBy(atMost, heldAtTarget(left)), atMost };
  }
}
