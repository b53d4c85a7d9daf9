import { Injectable } from '@nestjs/common';
import { Identities, type Identity } from '../accounts/identities.js';
import { IdentityLinks, type EndTokens } from '../accounts/identity-links.js';
import { Users } from '../accounts/users.js';
import { TrustStore } from './trust.store.js';

/** An identity of a trusted issuer, as the operator of the issuer sees it. */
export interface SubjectMapping extends Identity {
  readonly idpId: string;
}

export interface MappingDraft {
  readonly idpId: string;
  readonly subject: string;
  readonly userId: string;
}

export class MappingNotFound extends Error {}
export class MappingInvalid extends Error {}

/** Which of our people the subjects of trusted issuers are: their identities, by which they sign in, too (W32). */
@Injectable()
export class SubjectMappings {
  constructor(
    private readonly store: TrustStore,
    private readonly identities: Identities,
    private readonly links: IdentityLinks,
    private readonly users: Users,
  ) {}

  /** @param idpId only those of one issuer */
  async list(idpId?: string): Promise<SubjectMapping[]> {
    const idps = (await this.store.idps()).filter(({ id }) => idpId === undefined || id === idpId);
    const lists = await Promise.all(
      idps.map(async (idp) =>
        (await this.identities.ofIssuer(idp.issuer)).map((identity) => ({ ...identity, idpId: idp.id })),
      ),
    );
    return lists.flat();
  }

  /** @throws MappingInvalid; IdentityTaken when the subject is somebody else already */
  async create({ idpId, subject, userId }: MappingDraft): Promise<SubjectMapping> {
    if (!(await this.users.find(userId))) throw new MappingInvalid('local_user_id is no user');
    const issuer = await this.store.transaction(async (tx) => {
      const idp = await this.store.lockIdp(tx, idpId);
      if (!idp) throw new MappingInvalid('idp_id is no trusted issuer');
      await this.identities.link(tx, userId, idp.issuer, subject);
      return idp.issuer;
    });
    const identity = (await this.identities.ofIssuer(issuer)).find((each) => each.subject === subject);
    if (!identity) throw new MappingInvalid('the mapping was taken away again');
    return { ...identity, idpId };
  }

  /** Ends what the person has by it, as unlinking anywhere does. @throws MappingNotFound */
  async remove(id: string, endTokens: EndTokens): Promise<void> {
    const known = await this.store.transaction((tx) => this.identities.byId(tx, id));
    if (!known) throw new MappingNotFound();
    if (!(await this.links.unlink(known.userId, known.issuer, known.subject, endTokens))) throw new MappingNotFound();
  }
}
