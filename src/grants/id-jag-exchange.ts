import { Injectable } from '@nestjs/common';
import { OAuthError, parseScope, required, tokenType, type Form } from '#libs/oauth';
import { leftBy } from '../accounts/group-scopes.js';
import { Users } from '../accounts/users.js';
import type { Client } from '../clients/client.js';
import { Config } from '../config/config.js';
import { requireKey, type Proof } from '../dpop/dpop-verifier.js';
import { Clock } from '../platform/clock/clock.js';
import { isMint, type ResourceSnapshot } from '../resources/resource.js';
import { RefreshTokens } from '../tokens/refresh-tokens.js';
import type { Audience } from '../xaa/audience.js';
import { Audiences } from '../xaa/audiences.js';
import type { AssertionDecision } from '../xaa/issued-assertion.js';
import { PersonBounds } from './person-bounds.js';

type Facts = Readonly<Record<string, unknown>>;
type Subject = Pick<AssertionDecision, 'person' | 'family'> & { readonly identityRefused: boolean };

/**
 * An exchange into an identity assertion (ID-JAG): where another authorization server trusts us, our word of who the person is. The
 * subject token is a refresh token of the client that asks, and of no other kind, or else whoever is shown an access token, every
 * resource server, could have them (W46). It is shown, not spent.
 */
@Injectable()
export class IdJagExchange {
  constructor(
    private readonly refreshTokens: RefreshTokens,
    private readonly bounds: PersonBounds,
    private readonly audiences: Audiences,
    private readonly users: Users,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  async authorize(
    form: Form,
    client: Client,
    resources: ResourceSnapshot,
    proof: Proof | undefined,
    grantType: string,
  ): Promise<AssertionDecision> {
    const value = this.#subjectToken(form, client);
    const name = required(form, 'audience');
    const { identityRefused, ...subject } = await this.#subject(value, client, resources, proof);
    const { person, family } = subject;
    const facts = { clientId: client.id, user: person.id, family: family.id, audience: name };
    const audience = await this.audiences.of(client.id, name);
    if (!audience) throw new OAuthError('exchange-denied', 'audience_unregistered', { facts });
    if (!audience.enabled) throw new OAuthError('exchange-denied', 'audience_disabled', { facts });
    // To a resource server that does not look at typ it would be an access token of ours.
    if (resources.byUri(name)) throw new OAuthError('exchange-denied', 'audience_is_resource', { facts });
    const assertedResources = resourcesOf(form.get('resource'), audience, facts);
    const scopes = scopesOf(form.get('scope'), audience, facts);
    await this.bounds.requireWelcome({ userId: person.id, identityRefused }, resources.epoch, facts);
    return {
      grantType,
      client,
      ...subject,
      audience,
      policyEpoch: resources.epoch,
      assertedResources,
      scopes,
      email: audience.includeEmail ? (await this.users.find(person.id))?.email : undefined,
    };
  }

  /** @throws OAuthError `invalid_request` for what is not exchanged for an assertion */
  #subjectToken(form: Form, { id: clientId }: Client): string {
    if (!this.config.xaa.issuingEnabled) {
      const options = { fill: { setting: 'xaa.issuing_enabled' }, facts: { clientId } };
      throw new OAuthError('id-jag-disabled', 'id_jag_disabled', options);
    }
    const value = required(form, 'subject_token');
    if (required(form, 'subject_token_type') !== tokenType.refreshToken) throw unsupported('subject_token_type', form);
    // The draft gives an actor no meaning yet: one that is passed over would be believed to count.
    for (const parameter of ['actor_token', 'actor_token_type'])
      if (form.has(parameter)) throw unsupported(parameter, form);
    return value;
  }

  /**
   * The person behind a live family of the client.
   *
   * A token of it that was spent before is refused and ends nothing: reuse is what is detected when somebody wants to go on with a
   * stolen token (RFC 9700 §4.14.2), and here nobody can, because the client has authenticated and the family does not turn.
   */
  async #subject(
    value: string,
    client: Client,
    resources: ResourceSnapshot,
    proof: Proof | undefined,
  ): Promise<Subject> {
    const found = await this.refreshTokens.lookUp(value);
    if (!found) throw new OAuthError('subject-token-invalid', 'subject_unknown', { facts: { clientId: client.id } });
    const { family, live } = found;
    const facts = { clientId: client.id, subject_client: family.clientId, family: family.id };
    if (family.clientId !== client.id)
      throw new OAuthError('subject-token-invalid', 'subject_of_another_client', { facts });
    if (family.revoked !== null) throw new OAuthError('subject-token-invalid', 'subject_revoked', { facts });
    if (!live) throw new OAuthError('subject-token-invalid', 'subject_spent', { facts });
    const endsAt = family.expiresAt < family.endsAt ? family.expiresAt : family.endsAt;
    if (endsAt <= this.clock.now()) throw new OAuthError('subject-token-invalid', 'subject_expired', { facts });
    if (family.jkt !== null) requireKey(proof, family.jkt, facts);
    if (!family.userActive || family.userVersion === null)
      throw new OAuthError('subject-token-invalid', 'subject_user_disabled', { facts });
    const consented = family.consentRevoked === null ? family.consentScopes : null;
    const remains = family.scopes.filter((scope) => consented?.includes(scope));
    if (remains.length === 0 || !isMint(resources.byId(family.resourceId)))
      throw new OAuthError('subject-token-invalid', 'subject_consent_withdrawn', { facts });
    const ceiling = await this.bounds.ceiling(family.userId, family.resourceId, resources.epoch);
    if (leftBy(ceiling, remains).length === 0)
      throw new OAuthError('subject-token-invalid', 'subject_groups_allow_nothing', { facts });
    return {
      person: { id: family.userId, version: family.userVersion, consentId: family.consentId },
      family: { id: family.id, generation: family.generation, endsAt },
      identityRefused: family.identityRefused,
    };
  }
}

/** What the request names; all that the operator allows where it names none. */
function resourcesOf(requested: string | undefined, { resources }: Audience, facts: Facts): readonly string[] {
  if (requested === undefined) return resources;
  if (resources.includes(requested)) return [requested];
  const options = { facts: { ...facts, expected: resources, received: requested } };
  throw new OAuthError('audience-resource-differs', 'audience_resource', options);
}

/** Whatever is asked for beyond what the operator allows is refused, not left out, as in every exchange (W31). */
function scopesOf(requested: string | undefined, { scopes }: Audience, facts: Facts): readonly string[] {
  const asked = parseScope(requested ?? '').filter((scope) => scope !== 'offline_access');
  const beyond = asked.find((scope) => !scopes.includes(scope));
  if (beyond !== undefined)
    throw new OAuthError('scope-beyond-audience', 'audience_scope', { fill: { scope: beyond }, facts });
  return asked.length > 0 ? asked : scopes;
}

function unsupported(parameter: string, form: Form): OAuthError {
  const facts = { received: parameter.endsWith('_type') ? form.get(parameter) : undefined };
  return new OAuthError('token-type-unsupported', 'token_type_unsupported', { fill: { parameter }, facts });
}
