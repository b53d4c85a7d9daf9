import { Injectable } from '@nestjs/common';
import type { IDToken } from 'openid-client';
import { OAuthError } from '#libs/oauth';
import { Identities } from './identities.js';
import type { IdentityProvider } from './identity-provider.js';
import { normalEmail, type User } from './user.js';
import { UserStore } from './user.store.js';

/** OpenID Connect Core §2. */
const MAX_SUBJECT = 255;

/**
 * Which account somebody has who comes from an identity provider: the one of this issuer and subject, made at their first
 * sign-in. An e-mail address never leads to an account (W32): one that is taken is a matter for the operator.
 */
@Injectable()
export class FederatedAccounts {
  constructor(
    private readonly identities: Identities,
    private readonly users: UserStore,
  ) {}

  /** @throws OAuthError for a page: not of the company, disabled, or an address that somebody else has */
  async of(provider: IdentityProvider, claims: IDToken): Promise<{ user: User; identityId: string }> {
    requireMember(provider, claims);
    if (claims.sub === '' || claims.sub.length > MAX_SUBJECT)
      throw new OAuthError('sign-in-refused-upstream', 'idp_answer_invalid', { facts: { provider: provider.slug } });
    const user = (await this.identities.find(claims.iss, claims.sub)) ?? (await this.#create(provider, claims));
    const facts = { provider: provider.slug, user: user.id };
    if (user.status !== 'active') throw new OAuthError('sign-in-not-allowed', 'user_disabled', { facts });
    const identityId = await this.identities.idOf(claims.iss, claims.sub);
    if (identityId === undefined) throw new OAuthError('sign-in-flow-over', 'sign_in_unlinked', { facts });
    return { user, identityId };
  }

  /** Whose address is taken gets no account: they would find theirs empty and not know why. */
  #create(provider: IdentityProvider, claims: IDToken): Promise<User> {
    const email = addressOf(provider, claims);
    const name = typeof claims['name'] === 'string' ? claims['name'] : undefined;
    return this.users.transaction(async (tx) => {
      const arrival = { issuer: claims.iss, subject: claims.sub, email, name };
      const user = await this.identities.findOrCreate(arrival, tx);
      if (email === undefined || user.email !== undefined) return user;
      throw new OAuthError('email-in-use', 'email_in_use', { facts: { provider: provider.slug } });
    });
  }
}

/** @throws OAuthError for a page */
export function requireMember(
  { slug, hostedDomains, tenants }: IdentityProvider,
  claims: Readonly<Record<string, unknown>>,
): void {
  const { hd, tid }: { hd?: unknown; tid?: unknown } = claims;
  const facts = { provider: slug };
  if (hostedDomains.length > 0 && !(typeof hd === 'string' && hostedDomains.includes(hd.toLowerCase())))
    throw new OAuthError('sign-in-not-allowed', 'hosted_domain_refused', { facts });
  if (tenants.length > 0 && !(typeof tid === 'string' && tenants.includes(tid)))
    throw new OAuthError('sign-in-not-allowed', 'tenant_refused', { facts });
}

/** Anybody can write any address into their profile; one that the provider has not seen answered is not kept. */
function addressOf({ trustEmail }: IdentityProvider, { email, email_verified: verified }: IDToken): string | undefined {
  if (typeof email !== 'string' || normalEmail(email) === '') return undefined;
  return verified === true || (trustEmail && verified === undefined) ? email : undefined;
}
