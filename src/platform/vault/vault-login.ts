import { Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import type { Clock } from '../clock/clock.js';
import { vaultUnavailable, type VaultAnswer, type VaultClient } from './vault-client.js';

export type VaultAuth =
  { readonly token: string } | { readonly roleId: string; readonly secretId: string; readonly mountPath: string };

interface Held {
  readonly token: string;
  /** When half of its life is over; undefined: it does not end, or cannot be renewed. */
  readonly renewAt?: number;
}

/** However short a lease is: not oftener than this. Also between two attempts that fail. */
const FLOOR_MILLIS = 10_000;
const KEEP_ALIVE_MILLIS = 5_000;
/** Refusals that come closer together are answered by the same login. */
const SAME_LOGIN_MILLIS = 1_000;

/**
 * The token that Vault is shown. At half of its lease an AppRole logs in again and a renewable token is renewed; when that fails, the last
 * token goes on for as long as Vault takes it.
 */
export class VaultLogin {
  readonly #log = new Logger('Vault');
  #held: Held | undefined;
  #loggedInAt = 0;
  #failing = false;
  #loggingIn: Promise<Held> | undefined;
  #keeping: Promise<void> | undefined;

  constructor(
    private readonly client: VaultClient,
    private readonly auth: VaultAuth,
    private readonly clock: Clock,
  ) {}

  /** @throws OAuthError `vault_unavailable` */
  async token(): Promise<string> {
    if ('token' in this.auth) return this.auth.token;
    return (this.#held ?? (await this.#logIn())).token;
  }

  /**
   * After Vault has refused `refused`.
   *
   * @returns another token to try; undefined when there is none
   */
  async another(refused: string): Promise<string | undefined> {
    if ('token' in this.auth) return undefined;
    if (this.#held && this.#held.token !== refused) return this.#held.token;
    if (this.#now() - this.#loggedInAt < SAME_LOGIN_MILLIS) return undefined;
    return (await this.#logIn()).token;
  }

  /** From now on, while nobody asks for anything. @returns ends that */
  keepAliveRegularly(): () => void {
    const timer = setInterval(() => void this.keepAlive(), KEEP_ALIVE_MILLIS).unref();
    void this.keepAlive();
    return () => clearInterval(timer);
  }

  /** To be called every few seconds. Never throws. */
  async keepAlive(): Promise<void> {
    if (this.#held && (this.#held.renewAt === undefined || this.#now() < this.#held.renewAt)) return;
    this.#keeping ??= this.#renew().finally(() => (this.#keeping = undefined));
    await this.#keeping;
  }

  async #renew(): Promise<void> {
    try {
      await ('token' in this.auth ? this.#renewToken(this.auth.token) : this.#logIn());
      if (this.#failing) this.#log.log('the vault token is renewed again');
      this.#failing = false;
    } catch (error) {
      const problem = error instanceof OAuthError ? String(error.facts.problem) : 'unexpected';
      if (!this.#failing) this.#log.warn({ message: 'vault token renewal failed: the last token goes on', problem });
      this.#failing = true;
      const last = this.#held?.token ?? ('token' in this.auth ? this.auth.token : undefined);
      if (last !== undefined) this.#held = { token: last, renewAt: this.#now() + FLOOR_MILLIS };
    }
  }

  async #renewToken(token: string): Promise<void> {
    const answer = await this.client.post('auth/token/renew-self', {}, token);
    // A token that is not renewable, or lives for ever, is answered with 400: it is used until it ends.
    if (answer.status === 400) this.#held = { token };
    else this.#held = this.#heldFrom(answer, token);
  }

  #logIn(): Promise<Held> {
    this.#loggingIn ??= this.#askForToken().finally(() => (this.#loggingIn = undefined));
    return this.#loggingIn;
  }

  async #askForToken(): Promise<Held> {
    if ('token' in this.auth) throw new TypeError('a token does not log in');
    const { mountPath, roleId, secretId } = this.auth;
    const answer = await this.client.post(`auth/${mountPath}/login`, { role_id: roleId, secret_id: secretId });
    this.#held = this.#heldFrom(answer);
    this.#loggedInAt = this.#now();
    return this.#held;
  }

  #heldFrom({ status, body }: VaultAnswer, same?: string): Held {
    if (status !== 200) throw vaultUnavailable(same === undefined ? 'it refuses the AppRole' : 'it refuses the token');
    const { client_token: token = same, lease_duration: lease } = (body.auth ?? {}) as Record<string, unknown>;
    if (typeof token !== 'string' || !/^[\x21-\x7e]{1,4096}$/.test(token))
      throw vaultUnavailable('its answer to the login cannot be read');
    const ends = typeof lease === 'number' && lease > 0;
    return { token, renewAt: ends ? this.#now() + Math.max((lease * 1000) / 2, FLOOR_MILLIS) : undefined };
  }

  #now(): number {
    return this.clock.now().getTime();
  }
}
