import type { ReasonOf, SymptomSlug } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { reachable, type FrontingLink } from '../resources/fronting-link.js';
import { isMint, type BrokerResource, type MintResource, type ResourceSnapshot } from '../resources/resource.js';
import type { IssuanceState } from '../tokens/access-token-reader.js';
import type { Derivation } from '../tokens/authorization.js';

/** What a path is chosen by, and judged on. */
export interface Exchange {
  readonly acting: Client;
  readonly subject: IssuanceState;
  readonly resources: ResourceSnapshot;
  /** What the subject token is for. */
  readonly source?: MintResource;
  /** Absent: the subject token names no resource, and neither does the request. */
  readonly target?: MintResource | BrokerResource;
  /** Whether the request names the target, or means the subject token's own audience. */
  readonly named: boolean;
  /** What leads from the source to the target, if a link does. */
  readonly link?: FrontingLink;
  readonly allowSelfExchange: boolean;
}

/** The symptom and the reason of an error. */
export type Refusal = { [S in SymptomSlug]: readonly [symptom: S, reason: ReasonOf<S>] }[SymptomSlug];

/** Says why policy forbids an exchange, if it does. */
type Guard = (exchange: Exchange) => Refusal | undefined;

export interface ExchangePath {
  readonly kind: Derivation['kind'];
  readonly into: 'mint' | 'broker';
  /** All must let it pass; the first that does not is the reason. */
  readonly guards: readonly Guard[];
  /** The resource at which the person must allow, by now, the application that began the chain. */
  readonly consentAt: (exchange: Exchange) => MintResource | undefined;
}

const denied = (reason: ReasonOf<'exchange-denied'>): Refusal => ['exchange-denied', reason];

const ownTokenNarrowed: Guard = (exchange) =>
  exchange.allowSelfExchange && isOwn(exchange) ? undefined : denied('self_exchange_disabled');

/** The list of the target: empty lets anybody pass, but for machines, behind whom nobody has allowed anything (W36). */
const listedByTarget: Guard = ({ acting, subject, target }) => {
  const allowed = target?.policy.exchange.allowedClientIds ?? [];
  const passes = allowed.includes(acting.id) || (allowed.length === 0 && subject.userId !== null);
  return passes ? undefined : denied('operator_gate_denied');
};

const ownTokenOrNamedByTarget: Guard = (exchange) => {
  const { exchange: allowed, runtime } = exchange.target?.policy ?? {};
  const isNamed = [allowed?.allowedClientIds, runtime?.clientIds].some((ids) => ids?.includes(exchange.acting.id));
  return isOwn(exchange) || isNamed ? undefined : denied('cross_client_denied');
};

/** A link is for whoever acts as its source, and whom the target lists if it lists any (W37). */
const gateway: Guard = (exchange) =>
  actsAs(exchange.source, exchange.acting) && !listedByTarget(exchange)
    ? undefined
    : denied('fronting_caller_not_authorized');

/** Connected accounts are people's. */
const aPerson: Guard = ({ subject }) =>
  subject.userId === null ? ['subject-without-person', 'machine_into_broker'] : undefined;

/** Without a link, only the MCP server that the subject token was shown to may ask: the one resource that the client acts as. */
const attested: Guard = ({ acting, subject, resources }) => {
  const [actedAs, ...more] = resources.all.filter((resource) => isMint(resource) && actsAs(resource, acting));
  if (!actedAs) return ['agent-not-attested', 'agent_attestation_unknown_actor'];
  if (more.length > 0) return ['agent-ambiguous', 'agent_attestation_ambiguous_actor'];
  return actedAs.id === subject.resourceId ? undefined : ['fronting-link-missing', 'fronting_link_missing'];
};

const nowhere = (): undefined => undefined;

/** A token for the same audience stands on the consent, or the link, that the first one stands on. */
const atTarget = ({ subject, target }: Exchange): MintResource | undefined =>
  isMint(target) && subject.userId !== null && subject.resourceId !== target.id ? target : undefined;

/** A link forces its path and stands for the consent at its target. There is no falling back to another. */
const paths: readonly ExchangePath[] = [
  { kind: 'self', into: 'mint', guards: [ownTokenNarrowed], consentAt: nowhere },
  { kind: 'fronted', into: 'mint', guards: [gateway], consentAt: nowhere },
  { kind: 'direct', into: 'mint', guards: [listedByTarget, ownTokenOrNamedByTarget], consentAt: atTarget },
  { kind: 'fronted', into: 'broker', guards: [aPerson, gateway], consentAt: nowhere },
  {
    kind: 'direct',
    into: 'broker',
    guards: [aPerson, attested, listedByTarget],
    consentAt: ({ source }) => source,
  },
];

export function pathOf({ named, link, target }: Exchange): ExchangePath {
  const kind = !named ? 'self' : link ? 'fronted' : 'direct';
  const into = target?.backendKind ?? 'mint';
  const path = paths.find((candidate) => candidate.kind === kind && candidate.into === into);
  if (!path) throw new TypeError(`no path is ${kind} and leads into ${into}`);
  return path;
}

export function refusalOf({ guards }: ExchangePath, exchange: Exchange): Refusal | undefined {
  for (const guard of guards) {
    const refusal = guard(exchange);
    if (refusal) return refusal;
  }
  return undefined;
}

/** What the subject token gives at the target, in the target's words. */
export const heldAtTarget = ({ subject, link }: Exchange): readonly string[] =>
  link ? reachable(link.scopeMap, subject.scopes) : subject.scopes;

const isOwn = ({ acting, subject }: Exchange): boolean => subject.clientId === acting.id;

const actsAs = (resource: Pick<MintResource, 'policy'> | undefined, { id }: Client): boolean =>
  resource?.policy.runtime.clientIds.includes(id) ?? false;
