const units: Readonly<Record<string, number>> = { w: 604_800, d: 86_400, h: 3_600, m: 60, s: 1, ms: 0.001 };
const spelling = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/**
 * `1h30m`, `168h`, `90d`, `0`: whole numbers with a unit, greatest unit first, each at most once.
 *
 * @returns seconds, or undefined when it is not a duration
 */
export function parseDuration(written: string): number | undefined {
  if (written === '0') return 0;
  if (written === '' || written.length > 40) return undefined;
  const parts = spelling.exec(written)?.slice(1);
  if (!parts) return undefined;
  const factors = Object.values(units);
  const seconds = parts.reduce((sum, part, index) => sum + Number(part ?? 0) * (factors[index] ?? 0), 0);
  return seconds <= Number.MAX_SAFE_INTEGER ? seconds : undefined;
}
