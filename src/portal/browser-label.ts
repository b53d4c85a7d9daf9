const browsers = [
  ['Edg', 'Edge'],
  ['OPR', 'Opera'],
  ['Firefox', 'Firefox'],
  ['FxiOS', 'Firefox'],
  ['Chrome', 'Chrome'],
  ['CriOS', 'Chrome'],
  ['Safari', 'Safari'],
] as const;
const systems = ['iPhone', 'iPad', 'Android', 'Windows', 'Mac OS', 'CrOS', 'Linux'] as const;

/** What a person recognises a session by. User agents claim much; this is a label, not a fact to decide by. */
export function browserLabel(userAgent: string): string {
  const browser = browsers.find(([token]) => userAgent.includes(`${token}/`))?.[1] ?? 'Unknown browser';
  const system = systems.find((name) => userAgent.includes(name));
  return system === undefined
    ? browser
    : `${browser} on ${system === 'CrOS' ? 'ChromeOS' : system.replace('Mac OS', 'Mac')}`;
}
