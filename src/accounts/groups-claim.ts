const MOST_GROUPS = 500;
const LONGEST_GROUP = 256;

/** What PostgreSQL does not store, or two systems would read differently. */
const unspeakable = /[\p{Cc}\p{Cs}]/u;

/**
 * The groups that a claim names, each once and in one order, so that lists can be compared. What is no group name is left out, and
 * whatever is beyond the bounds: a person may lose something by it, never gain.
 *
 * @returns null when nothing was said
 */
export function groupsOf(claim: unknown): string[] | null {
  if (claim === undefined || claim === null) return null;
  const named = (Array.isArray(claim) ? claim : [claim]).filter(
    (name): name is string =>
      typeof name === 'string' && name !== '' && name.length <= LONGEST_GROUP && !unspeakable.test(name),
  );
  return [...new Set(named)].slice(0, MOST_GROUPS).toSorted();
}
