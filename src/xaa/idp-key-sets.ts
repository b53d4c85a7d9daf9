import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { KeySetRefused, readPublicKeys, type PublicKey } from '#libs/jwt';
import { OAuthError, parseJson } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { FetchFailed, FetchRefused } from '../platform/http-client/fetch-errors.js';
import { jwksCacheHits, jwksCacheMisses } from '../platform/telemetry/protocol-metrics.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import { KeptDocuments } from '../platform/http-client/kept-documents.js';
import type { UrlRules } from '../platform/http-client/outgoing-url.js';
import type { TrustedIdp } from './trust.js';

interface Remembered {
  readonly askedAt: Date;
  /** When it was last asked for a key that was not there. */
  readonly askedForKeyAt?: Date;
  /** The last good answer. */
  readonly keys?: readonly PublicKey[];
  readonly goodAt?: Date;
  /** Why the last question had no good answer. */
  readonly problem?: string;
}

/** The issuer's document or key set is not what it must be. */
class AnswerWrong extends Error {}
class NothingKept extends Error {}

interface Read {
  readonly document: unknown;
  readonly at: Date;
}

type Reader = (url: string, rules: Pick<UrlRules, 'learnedFrom'>) => Promise<Read>;

const MAX_BYTES = 64 * 1024;
const MAX_KEYS = 50;
const MAX_ENTRIES = 500;
const TIMEOUT_MS = 5000;
/** No issuer is asked more often, neither while it gives no keys nor for keys that it does not have (W44). */
const ASK_EVERY_SECONDS = 60;

/**
 * The keys of trusted issuers. Whatever is wrong with an issuer's host or its answers, its last good keys serve until their time
 * (`xaa.jwks_cache_ttl`) and then nobody is told that an assertion is wrong: nobody knows. What any replica fetched is kept in the
 * database, for the same time: one that has just started knows what the others know.
 */
@Injectable()
export class IdpKeySets {
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_ENTRIES });
  readonly #inFlight = new Map<string, Promise<Remembered>>();

  constructor(
    private readonly http: GuardedFetch,
    private readonly kept: KeptDocuments,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /**
   * @param kid a key that should be among them
   * @throws OAuthError `try-again` when the issuer gives no usable answer
   */
  async keys(idp: TrustedIdp, kid?: string): Promise<readonly PublicKey[]> {
    const known = await this.#recall(idp, kid);
    const remembered = known && !this.#mustAsk(known, kid) ? known : undefined;
    (remembered ? jwksCacheHits : jwksCacheMisses).inc();
    const { keys, goodAt, problem } = remembered ?? (await this.#ask(idp, known));
    const serves = keys && this.#isGood(goodAt);
    // A key that is not among old ones may be a new one: only an issuer that answers can say that it is none.
    const unsure = problem !== undefined && kid !== undefined && !keys?.some((key) => key.kid === kid);
    if (serves && !unsure) return keys;
    throw new OAuthError('try-again', 'idp_unavailable', { facts: { idp: idp.issuer, problem } });
  }

  /** Asks now. @returns the ids of its keys, or what is wrong */
  async refresh(idp: TrustedIdp): Promise<{ readonly kids: readonly string[]; readonly problem?: string }> {
    const { keys = [], problem } = await this.#ask(idp, this.#known(idp));
    return { kids: keys.map(({ kid }) => kid ?? ''), problem };
  }

  /** Asks without anybody waiting for a key, and without a word on whether one that is not there was asked for. @returns what is wrong */
  async renew(idp: TrustedIdp): Promise<string | undefined> {
    return (await this.#ask(idp, this.#known(idp), { forKey: false })).problem;
  }

  #known(idp: TrustedIdp): Remembered | undefined {
    const known = this.#remembered.get(keyOf(idp));
    return known && known.askedAt >= idp.keysFrom ? known : undefined;
  }

  /** What is known here, else what any replica has kept. */
  async #recall(idp: TrustedIdp, kid: string | undefined): Promise<Remembered | undefined> {
    const known = this.#known(idp);
    if (known && (this.#isGood(known.goodAt) || !this.#mustAsk(known, kid))) return known;
    const { keys, at } = (await this.#kept(idp)) ?? {};
    if (!keys || !at || at < idp.keysFrom) return known;
    const now = this.#known(idp);
    return this.#isGood(now?.goodAt) ? now : this.#remember(idp, { askedAt: at, keys, goodAt: at });
  }

  async #kept(idp: TrustedIdp): Promise<{ readonly keys: readonly PublicKey[]; readonly at: Date } | undefined> {
    try {
      return await this.#read(idp, async (url) => {
        const kept = await this.kept.find(url);
        if (!kept) throw new NothingKept();
        return { document: parseJson(kept.body), at: kept.fetchedAt };
      });
    } catch (error) {
      if (error instanceof NothingKept || error instanceof AnswerWrong || error instanceof KeySetRefused)
        return undefined;
      throw error;
    }
  }

  #isGood(goodAt: Date | undefined): boolean {
    return goodAt !== undefined && this.clock.now() < this.#endOf(goodAt);
  }

  #mustAsk({ askedAt, askedForKeyAt, keys, goodAt }: Remembered, kid: string | undefined): boolean {
    const now = this.clock.now();
    if (!keys || !this.#isGood(goodAt)) return now >= after(askedAt, ASK_EVERY_SECONDS);
    const lacks = kid !== undefined && !keys.some((key) => key.kid === kid);
    // Not since it was last asked: a key may be changed right after that.
    return lacks && (!askedForKeyAt || now >= after(askedForKeyAt, ASK_EVERY_SECONDS));
  }

  #endOf(goodAt: Date): Date {
    return after(goodAt, this.config.xaa.jwksCacheTtlSeconds);
  }

  #ask(idp: TrustedIdp, known: Remembered | undefined, { forKey = true } = {}): Promise<Remembered> {
    const key = keyOf(idp);
    const running = this.#inFlight.get(key);
    if (running) return running;
    const asking = this.#answer(idp, known, forKey).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, asking);
    return asking;
  }

  async #answer(idp: TrustedIdp, known: Remembered | undefined, forKey: boolean): Promise<Remembered> {
    const askedAt = this.clock.now();
    const forOneKey = forKey && this.#isGood(known?.goodAt);
    const asked = { askedAt, askedForKeyAt: forOneKey ? askedAt : known?.askedForKeyAt };
    const fetched: [string, unknown][] = [];
    try {
      const { keys } = await this.#read(idp, async (url, rules) => {
        const document = await this.#json(url, rules);
        fetched.push([url, document]);
        return { document, at: askedAt };
      });
      for (const [url, document] of fetched) await this.kept.keep(url, document, askedAt);
      return this.#remember(idp, { ...asked, keys, goodAt: askedAt });
    } catch (error) {
      const remembered = { ...known, ...asked, problem: problemOf(error) };
      // That we are busy says nothing about the issuer.
      const ours = error instanceof FetchFailed && error.reason === 'capacity';
      return ours ? remembered : this.#remember(idp, remembered);
    }
  }

  /** @returns the keys, and how old what they were read from is */
  async #read(idp: TrustedIdp, read: Reader): Promise<{ readonly keys: readonly PublicKey[]; readonly at: Date }> {
    const discovery = idp.jwksUri === undefined ? await read(discoveryUrl(idp.issuer), {}) : undefined;
    const url = idp.jwksUri ?? jwksUriOf(discovery?.document, idp.issuer);
    const { document, at } = await read(url, { learnedFrom: discovery && idp.issuer });
    const keys = readPublicKeys(document, { maxKeys: MAX_KEYS, maxBytes: MAX_BYTES });
    return { keys, at: discovery && discovery.at < at ? discovery.at : at };
  }

  #remember(idp: TrustedIdp, remembered: Remembered): Remembered {
    this.#remembered.set(keyOf(idp), remembered);
    return remembered;
  }

  async #json(url: string, rules: Pick<UrlRules, 'learnedFrom'>): Promise<unknown> {
    const { status, body } = await this.http.get(url, {
      ...rules,
      trust: 'operator',
      allowHttp: this.config.isLocal,
      maxBytes: MAX_BYTES,
      timeoutMs: TIMEOUT_MS,
      accept: 'application/jwk-set+json, application/json',
    });
    if (status !== 200) throw new AnswerWrong(`the host answered ${status}, not 200`);
    try {
      return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
    } catch {
      throw new AnswerWrong('the answer is not JSON in UTF-8 without repeated members');
    }
  }
}

const discoveryUrl = (issuer: string): string => `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;

/** OpenID Connect Discovery §4.3: the document must be this issuer's own. */
function jwksUriOf(document: unknown, issuer: string): string {
  const member = (name: string): unknown => (document as Record<string, unknown> | null)?.[name];
  if (member('issuer') !== issuer) throw new AnswerWrong('the discovery document is of another issuer');
  const url = member('jwks_uri');
  if (typeof url !== 'string') throw new AnswerWrong('the discovery document names no jwks_uri');
  return url;
}

/** An issuer that gets another address begins anew. */
const keyOf = ({ id, issuer, jwksUri = '' }: TrustedIdp): string => `${id} ${issuer} ${jwksUri}`;

/** @throws what is no problem of the issuer's */
function problemOf(error: unknown): string {
  if (error instanceof KeySetRefused) return error.problem;
  if (error instanceof AnswerWrong) return error.message;
  if (error instanceof FetchRefused || error instanceof FetchFailed) return `not fetched: ${error.reason}`;
  throw error;
}

const after = (from: Date, seconds: number): Date => new Date(from.getTime() + seconds * 1000);
