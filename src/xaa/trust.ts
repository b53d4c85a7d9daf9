/** An issuer whose assertions count. */
export interface TrustedIdp {
  readonly id: string;
  readonly name: string;
  /** Compared byte for byte with `iss`; a slash at the end counts. */
  readonly issuer: string;
  /** What it sends: identity assertions, or the own JWTs of programs. Never both (W48). */
  readonly kind: 'id_jag' | 'workload';
  /** Absent: found by discovery. */
  readonly jwksUri?: string;
  /** Absent: our issuer. */
  readonly audience?: string;
  readonly enabled: boolean;
  readonly replay: Replay;
  /** Keys that were fetched before count no more. */
  readonly keysFrom: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** W24: the drafts disagree about whether an assertion may be sent again. */
export type Replay = 'single_use' | 'reusable_until_exp';

/** By what, beside its identities, a subject may be found: both are words of the issuer about our accounts. */
export type SubjectBy = 'aud_sub' | 'email';

/** Who may have what with assertions of an issuer. Where a list is empty, it asks for nothing. */
export interface XaaPolicy {
  readonly id: string;
  readonly name: string;
  readonly idpId: string;
  readonly clientIds: readonly string[];
  readonly scopes: readonly string[];
  /** URIs as registered. */
  readonly resources: readonly string[];
  /** One of them must be in the claim `groups`. */
  readonly groups: readonly string[];
  /** Claims that must be exactly this. */
  readonly conditions: Readonly<Record<string, string>>;
  readonly subjectBy: readonly SubjectBy[];
  readonly expiresAt?: Date;
  readonly enabled: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What a policy is asked about. */
export interface Wish {
  readonly clientId: string;
  /** Absent: no resource was named. */
  readonly resource?: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly now: Date;
}

/** Whose assertions count and for what, as it was at one policy epoch. */
export class Trust {
  readonly #byIssuer: ReadonlyMap<string, TrustedIdp>;

  constructor(
    readonly epoch: number,
    idps: readonly TrustedIdp[],
    private readonly policies: readonly XaaPolicy[],
  ) {
    this.#byIssuer = new Map(idps.map((idp) => [idp.issuer, idp]));
  }

  idp(issuer: string): TrustedIdp | undefined {
    return this.#byIssuer.get(issuer);
  }

  policiesOf(idp: TrustedIdp): XaaPolicy[] {
    return this.policies.filter(({ idpId }) => idpId === idp.id);
  }
}

/** What a policy finds wrong with a wish; undefined where it allows it. */
export function refusalOf(policy: XaaPolicy, { clientId, resource, claims, now }: Wish): string | undefined {
  const { clientIds, resources, groups, conditions, expiresAt } = policy;
  if (!policy.enabled) return 'disabled';
  if (expiresAt && expiresAt <= now) return 'expired';
  if (clientIds.length > 0 && !clientIds.includes(clientId)) return 'another client';
  if (resources.length > 0 && (resource === undefined || !resources.includes(resource))) return 'another resource';
  if (groups.length > 0 && !groupsOf(claims).some((group) => groups.includes(group))) return 'no group of it';
  const unmet = Object.entries(conditions).find(
    ([claim, value]) => !Object.hasOwn(claims, claim) || claims[claim] !== value,
  );
  return unmet && `another ${unmet[0]}`;
}

function groupsOf({ groups }: Readonly<Record<string, unknown>>): string[] {
  return (Array.isArray(groups) ? groups : []).filter((group) => typeof group === 'string');
}
