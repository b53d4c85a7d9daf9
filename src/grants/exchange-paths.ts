import type { Client } from '../clients/client.js';
import { linkName, reachable } from '../resources/fronting-link.js';
import type { MintResource, ResourceSnapshot } from '../resources/resource.js';
import type { IssuanceState } from '../tokens/access-token-reader.js';
import type { Derivation } from '../tokens/authorization.js';

/** What a path is chosen by, and judged on. */
export interface Exchange {
  readonly acting: Client;
  readonly subject: IssuanceState;
  readonly resources: ResourceSnapshot;
  /** Absent: the subject token names no resource, and neither does the request. */
  readonly target?: MintResource;
  /** Whether the request names the target, or means the subject token's own audience. */
  readonly named: boolean;
  readonly allowSelfExchange: boolean;
}

export type PolicyRefusal =
  'self_exchange_disabled' | 'operator_gate_denied' | 'cross_client_denied' | 'fronting_caller_not_authorized';

export interface ExchangePath {
  readonly kind: Derivation['kind'];
  readonly applies: (exchange: Exchange) => boolean;
  /** Why policy forbids it, if it does. */
  readonly forbidden: (exchange: Exchange) => PolicyRefusal | undefined;
  /** What the subject token gives at the target, in the target's words. */
  readonly held: (exchange: Exchange) => readonly string[];
  /** Whether the person must have allowed the target itself. */
  readonly asksConsent: (exchange: Exchange) => boolean;
  readonly via: (exchange: Exchange) => string | undefined;
}

/** Narrows a token for the audience it has. */
const self: ExchangePath = {
  kind: 'self',
  applies: ({ named }) => !named,
  forbidden: (exchange) => (exchange.allowSelfExchange && isOwn(exchange) ? undefined : 'self_exchange_disabled'),
  held: ({ subject }) => subject.scopes,
  asksConsent: () => false,
  via: () => undefined,
};

/** Over a link (W37): it forces this path, and stands for the consent at the target. */
const fronted: ExchangePath = {
  kind: 'fronted',
  applies: (exchange) => linkOf(exchange) !== undefined,
  forbidden: (exchange) => {
    const { acting, subject, resources } = exchange;
    const source = resources.byId(subject.resourceId ?? '');
    const actsAsSource = source?.policy.runtime.clientIds.includes(acting.id) ?? false;
    return actsAsSource && passesOperator(exchange) ? undefined : 'fronting_caller_not_authorized';
  },
  held: (exchange) => reachable(linkOf(exchange)?.scopeMap ?? {}, exchange.subject.scopes),
  asksConsent: () => false,
  via: (exchange) => {
    const link = linkOf(exchange);
    return link && linkName(link);
  },
};

const direct: ExchangePath = {
  kind: 'direct',
  applies: () => true,
  forbidden: (exchange) => {
    if (!passesOperator(exchange)) return 'operator_gate_denied';
    return isOwn(exchange) || isListed(exchange) ? undefined : 'cross_client_denied';
  },
  held: ({ subject }) => subject.scopes,
  // A token for the same audience stands on the consent, or the link, that the first one stands on.
  asksConsent: ({ subject, target }) => subject.userId !== null && subject.resourceId !== target?.id,
  via: () => undefined,
};

/** In order: the first that applies is taken, and there is no falling back to another. */
export const exchangePaths: readonly ExchangePath[] = [self, fronted, direct];

const isOwn = ({ acting, subject }: Exchange): boolean => subject.clientId === acting.id;

const linkOf = ({ resources, subject, target }: Exchange) =>
  subject.resourceId === null || !target ? undefined : resources.link(subject.resourceId, target.id);

/** The list of the target: empty lets anybody pass, but for machines, behind whom nobody has allowed anything (W36). */
function passesOperator({ acting, subject, target }: Exchange): boolean {
  const allowed = target?.policy.exchange.allowedClientIds ?? [];
  return allowed.includes(acting.id) || (allowed.length === 0 && subject.userId !== null);
}

const isListed = ({ acting, target }: Exchange): boolean =>
  [target?.policy.exchange.allowedClientIds, target?.policy.runtime.clientIds].some((ids) => ids?.includes(acting.id));
