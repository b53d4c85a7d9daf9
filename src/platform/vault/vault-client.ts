import { OAuthError } from '#libs/oauth';
import { KeptConnections } from '../http-client/connections.js';
import { FetchFailed, FetchRefused } from '../http-client/fetch-errors.js';
import type { Breakers } from '../breaker/breakers.js';
import { GuardedFetch, type FetchedAnswer, type GuardedGet } from '../http-client/guarded-fetch.js';
import { HostBreakers } from '../http-client/host-breakers.js';
import { Turns } from './turns.js';

export interface VaultAnswer {
  /** 200, 400, 403 or 404: everything else is a Vault that cannot be used. */
  readonly status: number;
  /** The JSON object it answered with; `{}` where there was none. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface VaultAddress {
  readonly address: string;
  /** Development: the issuer is on localhost. */
  readonly allowHttp: boolean;
  readonly timeoutMillis?: number;
  /** Of Vault Enterprise and OpenBao, such as team/identity: what every path lies below, the logins' too. */
  readonly namespace?: string;
}

const MAX_ANSWER_BYTES = 64 * 1024;
/** A key is told of with all its versions. */
const MAX_READ_BYTES = 512 * 1024;
const TIMEOUT_MILLIS = 5_000;
const AT_ONCE = 12;
const MAX_WAITING = 500;
const meaningful = [200, 400, 403, 404];

/** Vault's API over HTTP (W44). What it says in words is not passed on: whatever stands between us and Vault may have put anything there. */
export class VaultClient {
  readonly #timeoutMs: number;
  readonly #turns: Turns;

  static at(address: VaultAddress, breakers?: Breakers): VaultClient {
    return new VaultClient(
      new GuardedFetch(undefined, new HostBreakers(breakers, 'vault'), new KeptConnections()),
      address,
    );
  }

  /** @param fetch one of its own: vends in a crowd must not be in the way of other requests, nor these of them */
  constructor(
    private readonly fetch: GuardedFetch,
    private readonly at: VaultAddress,
  ) {
    this.#timeoutMs = at.timeoutMillis ?? TIMEOUT_MILLIS;
    this.#turns = new Turns({ atOnce: AT_ONCE, waiting: MAX_WAITING, patienceMillis: this.#timeoutMs });
  }

  /**
   * @param path below /v1/
   * @throws OAuthError `vault_unavailable`
   */
  post(path: string, body: object, token?: string): Promise<VaultAnswer> {
    const sent = { contentType: 'application/json', body: JSON.stringify(body) };
    return this.#send(() => this.fetch.post(this.#url(path), { ...this.#options(MAX_ANSWER_BYTES, token), ...sent }));
  }

  /** As `post`. */
  get(path: string, token: string): Promise<VaultAnswer> {
    return this.#send(() => this.fetch.get(this.#url(path), this.#options(MAX_READ_BYTES, token)));
  }

  async #send(work: () => Promise<FetchedAnswer>): Promise<VaultAnswer> {
    try {
      return read(await this.#turns.run(work));
    } catch (error) {
      if (error instanceof FetchFailed || error instanceof FetchRefused) throw vaultUnavailable(error.reason);
      throw error;
    }
  }

  #url(path: string): string {
    return `${this.at.address.replace(/\/+$/, '')}/v1/${path}`;
  }

  #options(maxBytes: number, token?: string): GuardedGet {
    return {
      trust: 'operator',
      allowHttp: this.at.allowHttp,
      maxBytes,
      timeoutMs: this.#timeoutMs,
      accept: 'application/json',
      headers: {
        'x-vault-request': 'true',
        ...(this.at.namespace === undefined ? {} : { 'x-vault-namespace': this.at.namespace }),
        ...(token === undefined ? {} : { 'x-vault-token': token }),
      },
    };
  }
}

/** @param problem a word for the operator; never what Vault said */
export const vaultUnavailable = (problem: string): OAuthError =>
  new OAuthError('try-again', 'vault_unavailable', { facts: { problem } });

export const isVaultAway = (error: unknown): error is OAuthError =>
  error instanceof OAuthError && error.reason === 'vault_unavailable';

function read({ status, body }: FetchedAnswer): VaultAnswer {
  if (status === 503) throw vaultUnavailable('sealed, or not ready');
  if (status >= 300 && status < 400) throw vaultUnavailable('it answered with a redirect');
  if (status === 204) return { status: 200, body: {} };
  if (!meaningful.includes(status)) throw vaultUnavailable(`it answered ${status}`);
  const parsed = parseObject(body.toString());
  if (parsed) return { status, body: parsed };
  if (status === 200) throw vaultUnavailable('its answer cannot be read');
  return { status, body: {} };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
