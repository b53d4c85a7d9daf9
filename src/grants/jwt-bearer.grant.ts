import { Injectable } from '@nestjs/common';
import type { Assertion } from '#libs/id-jag';
import { grantType, OAuthError, parseScope, required, sha256, type Form } from '#libs/oauth';
import { GroupScopes, leftBy } from '../accounts/group-scopes.js';
import type { Client } from '../clients/client.js';
import { Config } from '../config/config.js';
import type { Proof } from '../dpop/dpop-verifier.js';
import { xaaPolicyEvaluations } from '../platform/telemetry/protocol-metrics.js';
import { Clock } from '../platform/clock/clock.js';
import { isMint, type MintResource, type ResourceSnapshot } from '../resources/resource.js';
import { requireMint } from '../resources/resources.js';
import type { Authorization, PresentedAssertion } from '../tokens/authorization.js';
import { Assertions } from '../xaa/assertions.js';
import { KnownTrust } from '../xaa/known-trust.js';
import { Subjects } from '../xaa/subjects.js';
import { refusalOf, type TrustedIdp, type XaaPolicy } from '../xaa/trust.js';
import { Grant } from './grant.js';

type Facts = Readonly<Record<string, unknown>>;

/**
 * RFC 7523 §2.1: a token for the assertion of an issuer that an operator trusts: an identity assertion (ID-JAG) about a person, or a
 * program's own JWT. No page, no consent: the operator's policy decides. What is refused has spent nothing.
 */
@Injectable()
export class JwtBearerGrant extends Grant {
  readonly type = grantType.jwtBearer;
  override readonly switchedBy: { setting: string; on: boolean };

  constructor(
    private readonly trust: KnownTrust,
    private readonly assertions: Assertions,
    private readonly subjects: Subjects,
    private readonly groups: GroupScopes,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {
    super();
    this.switchedBy = { setting: 'xaa.enabled', on: config.xaa.enabled };
  }

  async authorize(form: Form, client: Client, resources: ResourceSnapshot, proof?: Proof): Promise<Authorization> {
    const text = required(form, 'assertion');
    const trust = await this.trust.current();
    const { assertion, idp } = await this.assertions.verify(text, client, trust);
    const facts = { clientId: client.id, idp: idp.issuer, assertion: assertion.jti };
    if (assertion.jkt !== undefined && assertion.jkt !== proof?.jkt)
      throw new OAuthError('assertion-invalid', 'assertion_key', { facts });

    const resource = this.#resourceOf(form.get('resource'), assertion, resources, facts);
    const policies = trust.policiesOf(idp);
    const wish = { clientId: client.id, resource: resource?.uri, claims: assertion.claims, now: this.clock.now() };
    const allowing = policies.filter((policy) => refusalOf(policy, wish) === undefined);
    xaaPolicyEvaluations.inc({ outcome: allowing.length > 0 ? 'allowed' : 'denied' });
    if (allowing.length === 0) {
      const refused = policies.map((policy) => `${policy.name}: ${refusalOf(policy, wish)}`);
      throw new OAuthError('policy-denied', 'policy_denied', { facts: { ...facts, policies: refused } });
    }
    const told = { ...facts, policies: allowing.map(({ name }) => name) };
    const allowed = scopesOf(form.get('scope'), { client, resource, assertion, allowing, facts: told });
    const by = allowing.flatMap(({ subjectBy }) => subjectBy);
    const person = idp.kind === 'workload' ? undefined : await this.subjects.person(assertion, by, told);
    const ceiling = person && (await this.groups.ceiling(person.id, resource?.id, resources.epoch));
    const scopes = leftBy(ceiling, allowed);
    if (scopes.length === 0) throw new OAuthError('scope-empty', 'groups_allow_nothing', { facts: told });
    return {
      grantType: this.type,
      client,
      person,
      resource,
      policyEpoch: resources.epoch,
      scopes,
      assertion: presented(assertion, idp, told.policies),
    };
  }

  /** W5: what the request names wrongly is a wrong target, what the assertion names wrongly is a wrong assertion. */
  #resourceOf(
    requested: string | undefined,
    { resources: named }: Assertion,
    resources: ResourceSnapshot,
    facts: Facts,
  ): MintResource | undefined {
    const asked = requested === undefined ? undefined : requireMint(resources, requested);
    const asserted = named?.map((uri) => resources.byUri(uri));
    if (asserted && !asserted.every(isMint))
      throw new OAuthError('assertion-invalid', 'assertion_resource', { facts: { ...facts, received: named } });
    if (!asserted) {
      if (!asked && this.config.xaa.requireResource)
        throw new OAuthError('resource-required', 'resource_missing', { facts });
      return asked;
    }
    const meant = asked ? asserted.find(({ id }) => id === asked.id) : one(asserted);
    if (meant) return meant;
    throw new OAuthError('assertion-resource-differs', 'assertion_resource_differs', {
      facts: { ...facts, expected: named, received: requested },
    });
  }
}

const one = (asserted: readonly MintResource[]): MintResource | undefined =>
  asserted.length === 1 ? asserted[0] : undefined;

interface Bounds {
  readonly client: Client;
  readonly resource: MintResource | undefined;
  readonly assertion: Assertion;
  readonly allowing: readonly XaaPolicy[];
  readonly facts: Facts;
}

/** What client, resource, assertion, policy and request have in common. No person is asked, so that it is never without a bound (W39). */
function scopesOf(requested: string | undefined, { client, resource, assertion, allowing, facts }: Bounds): string[] {
  if (client.scope.length === 0) throw new OAuthError('ceiling-missing', 'ceiling_empty', { facts });
  const asked = parseScope(requested ?? '').filter((scope) => scope !== 'offline_access');
  const declared = resource?.scopes.map(({ name }) => name);
  const within = (scope: string): boolean =>
    (asked.length === 0 || asked.includes(scope)) &&
    (declared?.includes(scope) ?? true) &&
    (assertion.scopes?.includes(scope) ?? true) &&
    allowing.some(({ scopes }) => scopes.length === 0 || scopes.includes(scope));
  const scopes = client.scope.filter(within);
  if (scopes.length === 0) throw new OAuthError('scope-empty', 'scope_nothing_left', { facts });
  return scopes;
}

/** Remembered beyond its end: the clocks of replicas may differ by this much. */
const CLOCK_SKEW_MS = 60_000;

function presented(assertion: Assertion, idp: TrustedIdp, policies: readonly string[]): PresentedAssertion {
  const { issuer, subject, jti, act, expiresAt } = assertion;
  const spent = idp.replay === 'single_use' && jti !== undefined;
  return {
    issuer,
    jti,
    act,
    policies,
    replay: idp.replay,
    ...(spent
      ? {
          key: sha256(`assertion\0${issuer}\0${subject}\0${jti}`),
          keptUntil: new Date(expiresAt.getTime() + CLOCK_SKEW_MS),
        }
      : {}),
  };
}
