import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { JwtRefused, signingAlgs, signJwt, verifyJwt, type JWK, type JWTPayload } from '#libs/jwt';
import { Config } from '../config/config.js';
import { CLOCK_SKEW_MILLIS } from '../platform/clock/clock-skew.js';
import { Clock } from '../platform/clock/clock.js';
import { isDatabaseAway } from '../platform/postgres/database.js';
import { secondsSince } from '../platform/telemetry/metric.js';
import { keyReloadDuration } from '../platform/telemetry/protocol-metrics.js';
import { isVaultAway } from '../platform/vault/vault-client.js';
import { KeyMaterial, SigningNeedsVault } from './key-material.js';
import * as schedule from './key-schedule.js';
import type { KeyRecord, KeyStatus } from './key-schedule.js';
import { SigningKeyStore } from './signing-key.store.js';

export interface KeyView extends Omit<KeyRecord, keyof schedule.Whereabouts> {
  readonly status: KeyStatus;
}

/** How old what is known of the keys may be: a rotation on another replica is learnt by then. */
const maxAgeMillis = 5_000;
/** For a `kid` that nobody has the keys are read no more often: anybody can make one up. */
const lookEveryMillis = 1_000;
/**
 * How long a key is needed after its last signature: no setting lets an access token live longer than 24 hours, and what is set
 * now says nothing of the tokens before. Replicas that learn late may sign with a retired key a little longer, and clocks drift.
 */
const tailSeconds = 24 * 3600 + 11 * 60;
/** How long a key that nobody asked for is published before it signs: resource servers cache the JWKS (W30). */
const announcedSeconds = 10 * 60;

/**
 * The keys of access tokens: which signs, which are published, and how that changes (W30).
 *
 * What is known of them is at most five seconds old. While the database is away, the keys last known go on.
 */
@Injectable()
export class SigningKeys implements OnModuleInit {
  private readonly log = new Logger(SigningKeys.name);
  private known: readonly KeyRecord[] = [];
  private readAt = 0;
  private reading: Promise<void> | undefined;
  private looking: Promise<void> | undefined;
  private beginning: Promise<void> | undefined;
  private lookedInVainAt = 0;
  private generation = 0;
  /** The same object for a kid each time, because verifying remembers its import by object. */
  private readonly publicJwks = new Map<string, JWK>();

  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
    private readonly store: SigningKeyStore,
    private readonly material: KeyMaterial,
  ) {}

  /** @throws PrivateKeyMissing when this machine lacks a key that signs or will */
  async onModuleInit(): Promise<void> {
    await this.begin().catch((error: unknown) => {
      throw isVaultAway(error) ? new SigningNeedsVault(error) : error;
    });
    await this.material.tryAll(schedule.currentAndComing(this.known, this.clock.now()), this.active());
  }

  /** Whether a token could be signed now. @throws what stands in the way */
  async trySigning(): Promise<void> {
    await this.material.tryOut(await this.signing());
  }

  /** Signs claims as they are: the caller sets `iss`, `iat`, `exp`. */
  async sign(
    header: { typ: string },
    claims: Readonly<Record<string, unknown>>,
  ): Promise<{ jwt: string; kid: string }> {
    const key = await this.material.signerOf(await this.signing());
    return { jwt: await signJwt(key, header.typ, claims), kid: key.kid };
  }

  /**
   * The claims of a live token of this server; undefined for a bad signature, an unknown or revoked key, another `typ`, or past `exp`.
   *
   * @param clockToleranceSeconds how long past `exp` the claims are still told, for who judges the end by what is stored
   * @throws DatabaseAway when it cannot be known whether another replica has made the key
   */
  async verifyOwn(jwt: string, typ: string, clockToleranceSeconds = 0): Promise<JWTPayload | undefined> {
    await this.refresh();
    try {
      return await this.verified(jwt, typ, clockToleranceSeconds).catch(async (error: unknown) => {
        if (!(error instanceof JwtRefused) || error.reason !== 'kid_unknown') throw error;
        await this.lookForNew();
        return this.verified(jwt, typ, clockToleranceSeconds);
      });
    } catch (error) {
      if (error instanceof JwtRefused) return undefined;
      throw error;
    }
  }

  /** The published keys as last known. Whoever serves them calls `refresh` first. */
  jwks(): { keys: JWK[] } {
    const published = schedule.publishedKeys(this.known, this.clock.now());
    return { keys: published.map(({ kid, publicJwk }) => this.publicJwks.get(kid) ?? publicJwk) };
  }

  activeKid(): string {
    return this.active().kid;
  }

  async list(): Promise<KeyView[]> {
    await this.read();
    const now = this.clock.now();
    const newestFirst = this.known.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
    return newestFirst.map((key) => viewOf(key, schedule.statusOf(key, this.known, now)));
  }

  /**
   * Makes a new key of `signing.algorithm`. It signs at once, or is published now and signs after `activateAfterSeconds`, which
   * spares resource servers with a cached JWKS. A key that was waiting is dropped.
   */
  async rotate({ activateAfterSeconds = 0 }: { activateAfterSeconds?: number } = {}): Promise<{
    kid: string;
    alg: string;
  }> {
    const made = await this.rotateWhen(() => true, activateAfterSeconds);
    if (!made) throw new Error('A rotation has made no key.');
    return { kid: made.kid, alg: made.alg };
  }

  /** Rotates where the active key has signed for `signing.rotation_interval` and no other one waits to follow it. */
  async rotateIfDue(): Promise<void> {
    const { rotationIntervalSeconds: interval } = this.config.signing;
    if (interval === 0) return;
    await this.rotateWhen((keys, now) => schedule.isRotationDue(keys, now, interval), announcedSeconds);
  }

  /**
   * Takes a key out of the JWKS and ends every token signed with it. For the active key another one is made first.
   *
   * @returns false when there is no such key or it was revoked before
   */
  async revoke(kid: string): Promise<boolean> {
    const { keys, changed } = await this.store.change(async (existing) => {
      const now = this.clock.now();
      if (!existing.some((key) => key.kid === kid && !key.revokedAt)) return undefined;
      const wasActive = schedule.activeKey(existing, now)?.kid === kid;
      const next = wasActive ? await this.material.generate(existing, now, now) : undefined;
      const followed = next ? schedule.withNext(existing, next, now, tailSeconds) : existing;
      return {
        keys: schedule.without(followed, kid, now),
        revoked: { kid, at: now, expiresAt: schedule.later(now, tailSeconds) },
        facts: [
          ...(next ? [{ action: 'key.rotated', detail: { kid: next.kid, activateAfterSeconds: 0 } }] : []),
          { action: 'key.revoked', detail: { kid } },
        ],
      };
    });
    this.adopt(keys);
    return changed;
  }

  /** Reads the keys again if what is known is older than five seconds. One reader at a time; the others wait for it. */
  async refresh(): Promise<void> {
    if (Math.abs(this.clock.now().getTime() - this.readAt) < maxAgeMillis) return;
    this.reading ??= this.readUnlessAway().finally(() => (this.reading = undefined));
    await this.reading;
  }

  /** The key that signs, made where the one that did was forgotten while this server ran. */
  private async signing(): Promise<KeyRecord> {
    await this.refresh();
    if (!schedule.activeKey(this.known, this.clock.now()))
      await (this.beginning ??= this.begin().finally(() => (this.beginning = undefined)));
    return this.active();
  }

  /** Makes the first key, unless another replica has; also where the one that signed was forgotten, and what is left is retired. */
  private async begin(): Promise<void> {
    const { keys } = await this.store.change(async (existing) => {
      const now = this.clock.now();
      if (schedule.activeKey(existing, now)) return undefined;
      const first = await this.material.generate(existing, now, now);
      return { keys: [...existing, first], facts: [{ action: 'key.created', detail: { kid: first.kid } }] };
    });
    this.adopt(keys);
  }

  private async rotateWhen(
    due: (keys: readonly KeyRecord[], now: Date) => boolean,
    activateAfterSeconds: number,
  ): Promise<KeyRecord | undefined> {
    let made: KeyRecord | undefined;
    const { keys } = await this.store.change(async (existing) => {
      const now = this.clock.now();
      if (!due(existing, now)) return undefined;
      made = await this.material.generate(existing, now, schedule.later(now, activateAfterSeconds));
      const after = schedule.withNext(existing, made, now, tailSeconds);
      return { keys: after, facts: [{ action: 'key.rotated', detail: { kid: made.kid, activateAfterSeconds } }] };
    });
    this.adopt(keys);
    return made;
  }

  private async verified(jwt: string, typ: string, clockToleranceSeconds: number): Promise<JWTPayload> {
    const { payload } = await verifyJwt(jwt, this.jwks().keys, {
      typ,
      issuer: this.config.server.issuer,
      algorithms: signingAlgs,
      now: this.clock.now(),
      clockToleranceSeconds,
      // Another replica issued it perhaps, whose clock is ahead, or our own was.
      maxAheadSeconds: CLOCK_SKEW_MILLIS / 1000,
    });
    return payload;
  }

  /** Another replica may have made a key a moment ago. One looks for all who ask meanwhile. */
  private async lookForNew(): Promise<void> {
    if (Math.abs(this.clock.now().getTime() - this.lookedInVainAt) < lookEveryMillis) return;
    this.looking ??= this.look().finally(() => (this.looking = undefined));
    await this.looking;
  }

  private async look(): Promise<void> {
    const before = this.known.length;
    await this.read();
    if (this.known.length === before) this.lookedInVainAt = this.clock.now().getTime();
  }

  private async readUnlessAway(): Promise<void> {
    try {
      await this.read();
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      this.readAt = this.clock.now().getTime();
      this.log.warn('the database is away: the signing keys last known go on');
    }
  }

  private async read(): Promise<void> {
    const { generation } = this;
    const startedAt = performance.now();
    const keys = await this.store.all();
    keyReloadDuration.observe(secondsSince(startedAt));
    if (generation === this.generation) this.adopt(keys); // else a change made here overtook the reading
  }

  private adopt(keys: readonly KeyRecord[]): void {
    this.generation += 1;
    this.known = keys;
    this.readAt = this.clock.now().getTime();
    for (const { kid, publicJwk } of keys) if (!this.publicJwks.has(kid)) this.publicJwks.set(kid, publicJwk);
  }

  private active(): KeyRecord {
    const active = schedule.activeKey(this.known, this.clock.now());
    if (!active) throw new Error('There is no signing key.');
    return active;
  }
}

/** Member by member: what a row keeps of the private half must not slip out with the rest. */
function viewOf(key: KeyRecord, status: KeyStatus): KeyView {
  const { kid, alg, publicJwk, createdAt, activatesAt, retiredAt, publishedUntil, revokedAt } = key;
  return { kid, alg, publicJwk, createdAt, activatesAt, retiredAt, publishedUntil, revokedAt, status };
}
