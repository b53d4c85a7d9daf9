import type { JWK, SigningAlg } from '#libs/jwt';

/** What its row says of where the private half of a key lies. Where it says nothing, that is a file. */
export interface Whereabouts {
  /** It lies here, sealed. */
  readonly sealedPrivateKey?: string | undefined;
  /** It is a version of a Transit key, as `<mount>/<name>/<version>`. */
  readonly transitKey?: string | undefined;
}

/** What everybody may know of a key, and where its private half lies. */
export interface KeyRecord extends Whereabouts {
  readonly kid: string;
  readonly alg: SigningAlg;
  readonly publicJwk: JWK;
  readonly createdAt: Date;
  /** From here on it signs, until another one does. */
  readonly activatesAt: Date;
  /** When the next key signs instead. Not after `activatesAt`: it was superseded before its time came. */
  readonly retiredAt?: Date | undefined;
  /** When its last token has expired everywhere. */
  readonly publishedUntil?: Date | undefined;
  readonly revokedAt?: Date | undefined;
}

export type KeyStatus = 'active' | 'pending' | 'retired' | 'revoked';

/**
 * The key that signs at `now`: of those that may, the one activated last. Where all are still ahead (this machine's clock is
 * behind the one that made them) the first of them. None where the one that followed a retired key was forgotten.
 */
export function activeKey(keys: readonly KeyRecord[], now: Date): KeyRecord | undefined {
  const candidates = signing(keys).filter(({ retiredAt }) => !retiredAt || retiredAt > now);
  return candidates.findLast(({ activatesAt }) => activatesAt <= now) ?? candidates[0];
}

/** The keys that sign now or will. */
export function currentAndComing(keys: readonly KeyRecord[], now: Date): KeyRecord[] {
  const active = activeKey(keys, now);
  return signing(keys).filter((key) => key === active || key.activatesAt > now);
}

/** Whether it is time for the next key: the active one has signed for `intervalSeconds`, and none waits to follow it. */
export function isRotationDue(keys: readonly KeyRecord[], now: Date, intervalSeconds: number): boolean {
  const active = activeKey(keys, now);
  if (!active || later(active.activatesAt, intervalSeconds) > now) return false;
  return currentAndComing(keys, now).length === 1;
}

/** The keys a resource server needs: coming, active, and retired ones whose tokens may still live. */
export function publishedKeys(keys: readonly KeyRecord[], now: Date): KeyRecord[] {
  return keys.filter(({ revokedAt, publishedUntil }) => !revokedAt && (!publishedUntil || publishedUntil > now));
}

export function statusOf(key: KeyRecord, keys: readonly KeyRecord[], now: Date): KeyStatus {
  if (key.revokedAt) return 'revoked';
  if (key === activeKey(keys, now)) return 'active';
  return key.activatesAt > now && !isSuperseded(key) ? 'pending' : 'retired';
}

/**
 * Adds a key that signs from its `activatesAt` on. The active one is retired then and published until its tokens are gone;
 * one that was waiting never signs, so nobody needs it any more.
 *
 * @param tailSeconds how long after its last signature a key is needed
 */
export function withNext(keys: readonly KeyRecord[], next: KeyRecord, now: Date, tailSeconds: number): KeyRecord[] {
  const active = activeKey(keys, now);
  const coming = currentAndComing(keys, now).filter((key) => key !== active);
  // Not before the active one's own moment, whatever the clocks of the replicas say, so that the newer key wins everywhere.
  const activatesAt = active && next.activatesAt < active.activatesAt ? active.activatesAt : next.activatesAt;
  const others = keys.map((key) => {
    if (key === active) return { ...key, retiredAt: activatesAt, publishedUntil: later(activatesAt, tailSeconds) };
    if (coming.includes(key)) return { ...key, retiredAt: now, publishedUntil: now };
    return key;
  });
  return [...others, { ...next, activatesAt }];
}

/** Takes a key that is not the active one out of use at once. If it was to follow the active one, that one goes on. */
export function without(keys: readonly KeyRecord[], kid: string, now: Date): KeyRecord[] {
  const active = activeKey(keys, now);
  const coming = currentAndComing(keys, now).some((key) => key.kid === kid && key !== active);
  return keys.map((key) => {
    if (key.kid === kid) return { ...key, revokedAt: now };
    return coming && key === active ? { ...key, retiredAt: undefined, publishedUntil: undefined } : key;
  });
}

export function later(date: Date, seconds: number): Date {
  return new Date(date.getTime() + seconds * 1000);
}

function isSuperseded({ activatesAt, retiredAt }: KeyRecord): boolean {
  return retiredAt !== undefined && retiredAt <= activatesAt;
}

function signing(keys: readonly KeyRecord[]): KeyRecord[] {
  return keys
    .filter((key) => !key.revokedAt && !isSuperseded(key))
    .toSorted((a, b) => a.activatesAt.getTime() - b.activatesAt.getTime() || (a.kid < b.kid ? -1 : 1));
}
