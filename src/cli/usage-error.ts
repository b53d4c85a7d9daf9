/** The flags are understood one by one, but do not make a command. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
