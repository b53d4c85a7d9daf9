import {
  clientSigningAlgs,
  fitsAlg,
  isShortText,
  isTime,
  knownAs,
  mediaType,
  readJwt,
  verifyByAny,
  type ClientSigningAlg,
  type JWK,
  type JWTPayload,
} from '#libs/jwt';

export type AssertionProblem =
  | 'assertion_malformed'
  | 'assertion_typ'
  | 'assertion_alg'
  | 'assertion_key_unknown'
  | 'assertion_signature'
  | 'assertion_issuer'
  | 'assertion_audience'
  | 'assertion_expired'
  | 'assertion_not_yet_valid'
  | 'assertion_too_old'
  | 'assertion_claims'
  | 'assertion_client'
  | 'assertion_tenant'
  | 'assertion_details';

/** Which check failed is for the operator, not for whoever sent the assertion. */
export class AssertionWrong extends Error {
  override readonly name = 'AssertionWrong';

  constructor(
    readonly problem: AssertionProblem,
    options?: ErrorOptions,
  ) {
    super(`the assertion was refused: ${problem}`, options);
  }
}

/** What an assertion says of where it is from: all unproven. */
export interface ClaimedOrigin {
  readonly issuer: string;
  readonly kid?: string;
}

export interface Expected {
  /** `id_jag`: an identity assertion for one client; `workload`: the own JWT of a program (Kubernetes, CI). */
  readonly kind: 'id_jag' | 'workload';
  readonly issuer: string;
  readonly audience: string;
  /** The authenticated client. */
  readonly clientId: string;
  readonly now: Date;
  /** How far back `iat` of an identity assertion may lie. */
  readonly maxAgeSeconds: number;
}

/** Who acts, outermost the one who acts now (RFC 8693 §4.1). */
export interface AssertedActor {
  readonly sub: string;
  readonly act?: AssertedActor;
  readonly [member: string]: unknown;
}

/** An assertion whose every check has passed but those that need more than itself: resource, policy, its key's proof, first use. */
export interface Assertion {
  readonly issuer: string;
  /** Unique for the issuer: the `sub`, or of an issuer with tenants the JSON text of `[tenant, sub]`. */
  readonly subject: string;
  /** Always there in an identity assertion. */
  readonly jti?: string;
  readonly expiresAt: Date;
  /** Absent: it sets no bound. */
  readonly scopes?: readonly string[];
  /** Absent: it names none. */
  readonly resources?: readonly string[];
  /** The key whose holder alone may use it (RFC 7800). */
  readonly jkt?: string;
  readonly act?: AssertedActor;
  readonly claims: Readonly<Record<string, unknown>>;
}

const assertionType = 'oauth-id-jag+jwt';
/** How far clocks may differ, for `iat` and `nbf`. */
const maxDriftSeconds = 60;
const maxWorkloadLifetimeSeconds = 3600;
const maxListed = 100;
const maxActors = 10;
const scopeText = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/**
 * Where an assertion says it is from.
 *
 * @throws AssertionWrong when it cannot be read as a JWT that names an issuer
 */
export function readOrigin(assertion: string): ClaimedOrigin {
  const { header, payload } = read(assertion);
  if (!isShortText(payload.iss)) throw new AssertionWrong('assertion_issuer');
  return { issuer: payload.iss, ...(typeof header['kid'] === 'string' ? { kid: header['kid'] } : {}) };
}

/**
 * Verifies an identity assertion (draft-ietf-oauth-identity-assertion-authz-grant) or a workload's own JWT.
 *
 * The key decides about the algorithm, never the header; keys and URLs in the header are never looked at (RFC 8725 §3.1, §3.10).
 *
 * @param keys public keys of the issuer that the assertion claims to be from
 * @throws AssertionWrong
 */
export async function verifyAssertion(assertion: string, keys: readonly JWK[], expected: Expected): Promise<Assertion> {
  const { header, payload } = read(assertion);
  if ('crit' in header || 'b64' in header) throw new AssertionWrong('assertion_malformed');
  requireType(header['typ'], expected.kind);
  const alg = clientSigningAlgs.find((allowed) => allowed === knownAs(header['alg']));
  if (alg === undefined) throw new AssertionWrong('assertion_alg');
  await verifyByAny(assertion, keysFor(keys, header['kid'], alg), String(header['alg'])).catch((cause: unknown) => {
    throw new AssertionWrong('assertion_signature', { cause });
  });
  return readClaims(payload, expected);
}

function read(assertion: string): { header: Record<string, unknown>; payload: JWTPayload } {
  try {
    return readJwt(assertion);
  } catch (cause) {
    throw new AssertionWrong('assertion_malformed', { cause });
  }
}

function requireType(typ: unknown, kind: Expected['kind']): void {
  const right = kind === 'id_jag' ? typ === assertionType : typ === undefined || mediaType(typ) === 'jwt';
  if (!right) throw new AssertionWrong('assertion_typ');
}

/** Without `kid` in the header every key that fits may be the one. */
function keysFor(keys: readonly JWK[], kid: unknown, alg: ClientSigningAlg): JWK[] {
  const named = keys.filter((key) => kid === undefined || key.kid === kid);
  if (named.length === 0) throw new AssertionWrong('assertion_key_unknown');
  const fitting = named.filter((key) => fitsAlg(key, alg));
  if (fitting.length === 0) throw new AssertionWrong('assertion_alg');
  return fitting;
}

function readClaims(payload: JWTPayload, expected: Expected): Assertion {
  const { iss, sub, jti } = payload;
  if (iss !== expected.issuer) throw new AssertionWrong('assertion_issuer');
  requireAudience(payload.aud, expected.audience);
  const expiresAt = readTimes(payload, expected);
  const identity = expected.kind === 'id_jag';
  if (!isShortText(sub)) throw new AssertionWrong('assertion_claims');
  if (jti === undefined ? identity : !isShortText(jti)) throw new AssertionWrong('assertion_claims');
  if (identity && payload['client_id'] !== expected.clientId) throw new AssertionWrong('assertion_client');
  const common = { issuer: iss, subject: sub, jti, expiresAt, claims: payload };
  // In the JWT of a workload these are somebody else's words.
  if (!identity) return common;
  if (payload['aud_tenant'] !== undefined) throw new AssertionWrong('assertion_tenant');
  // To pass over a bound that we cannot read would give more than was meant.
  if (payload['authorization_details'] !== undefined) throw new AssertionWrong('assertion_details');
  return {
    ...common,
    subject: subjectOf(sub, payload['tenant']),
    scopes: readScopes(payload['scope']),
    resources: readResources(payload['resource']),
    jkt: readConfirmation(payload['cnf']),
    act: readActor(payload['act'], maxActors),
  };
}

/** One `sub` of two tenants is two people, whatever texts they are. */
function subjectOf(sub: string, tenant: unknown): string {
  if (tenant !== undefined && !isShortText(tenant)) throw new AssertionWrong('assertion_claims');
  return tenant === undefined && !sub.startsWith('[') ? sub : JSON.stringify([tenant ?? null, sub]);
}

/** Exactly one: a prefix, or another audience beside it, is somebody else's assertion. */
function requireAudience(aud: unknown, audience: string): void {
  const only: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  if (only !== audience) throw new AssertionWrong('assertion_audience');
}

function readTimes({ exp, iat, nbf }: JWTPayload, { kind, now, maxAgeSeconds }: Expected): Date {
  const seconds = now.getTime() / 1000;
  if (!isTime(exp) || !isTime(iat) || (nbf !== undefined && !isTime(nbf))) throw new AssertionWrong('assertion_claims');
  if (exp <= seconds) throw new AssertionWrong('assertion_expired');
  if (Math.max(iat, nbf ?? iat) > seconds + maxDriftSeconds) throw new AssertionWrong('assertion_not_yet_valid');
  const tooOld = kind === 'id_jag' ? iat < seconds - maxAgeSeconds : exp - iat > maxWorkloadLifetimeSeconds;
  if (tooOld) throw new AssertionWrong('assertion_too_old');
  // What is not over a day ahead is a date; the age of the assertion bounds its use already.
  return new Date(Math.min(exp, seconds + 86_400) * 1000);
}

function readScopes(scope: unknown): string[] | undefined {
  if (scope === undefined) return undefined;
  if (scope === '') return [];
  if (typeof scope !== 'string' || !scopeText.test(scope)) throw new AssertionWrong('assertion_claims');
  return [...new Set(scope.split(' '))];
}

function readResources(resource: unknown): string[] | undefined {
  if (resource === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(resource) ? resource : [resource];
  const texts = list.filter((each) => typeof each === 'string');
  if (texts.length === 0 || texts.length !== list.length || list.length > maxListed)
    throw new AssertionWrong('assertion_claims');
  return [...new Set(texts)];
}

/** A confirmation that we cannot check is one that nobody has given. */
function readConfirmation(cnf: unknown): string | undefined {
  if (cnf === undefined) return undefined;
  if (!isObject(cnf) || Object.keys(cnf).join() !== 'jkt' || !isShortText(cnf['jkt']))
    throw new AssertionWrong('assertion_claims');
  return cnf['jkt'];
}

function readActor(act: unknown, left: number): AssertedActor | undefined {
  if (act === undefined) return undefined;
  if (left === 0 || !isObject(act) || !isShortText(act['sub'])) throw new AssertionWrong('assertion_claims');
  const { act: inner, ...members } = act;
  const nested = readActor(inner, left - 1);
  return { ...members, sub: act['sub'], ...(nested ? { act: nested } : {}) };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
