import { QueryFailedError } from 'typeorm';

/** SQLSTATE classes 08 (connection), 53 (no resources), 57 (shut down, starting, cancelled) and a read-only standby. */
const AWAY_STATE = /^(?:08|53|57)...$|^25006$/;
const AWAY_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** What the driver says without a code. */
const AWAY_TEXT =
  /^(?:Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client was closed|Client has encountered a connection error|Cannot use a pool after calling end)/;
/** Answers of a live server that has refused or rolled the statement back, and failures before there was a connection. */
const NOTHING_HAPPENED =
  /^(?:53...|25006|57014|57P03|ECONNREFUSED|ENOENT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;

/** The database did not answer: the request is answered with 503, and nobody is told that their credentials are wrong. */
export class DatabaseAway extends Error {
  override readonly name = 'DatabaseAway';

  /** @param outcomeUnknown the statement was sent and may have been carried out */
  constructor(
    readonly outcomeUnknown: boolean,
    cause: unknown,
  ) {
    super(`the database is away: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Whether an error of the driver, of TypeORM or of `Database` says that the database is away, not that the SQL is wrong. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof DatabaseAway) return true;
  if (error instanceof QueryFailedError) return isDatabaseAway(error.driverError);
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway); // localhost refused on ::1 and 127.0.0.1
  if (!(error instanceof Error)) return false;
  const code = sqlState(error);
  return code === undefined ? AWAY_TEXT.test(error.message) : AWAY_STATE.test(code) || AWAY_SYSTEM.has(code);
}

/**
 * `error` as a `DatabaseAway` when it is one, else unchanged.
 *
 * @param sent the statement had been sent when it failed
 */
export function asDatabaseAway(error: unknown, sent: boolean): unknown {
  if (error instanceof DatabaseAway || !isDatabaseAway(error)) return error;
  return new DatabaseAway(sent && !NOTHING_HAPPENED.test(sqlState(error) ?? ''), error);
}

/** Of one request alone: the server was busy, or a statement took too long. Its connections are as good as before. */
const OWN_FAULT = /^(?:53...|57014)$/;

/** Whether what failed on one connection says that others to the same server will fail as well. */
export function condemnsServer(error: unknown): boolean {
  return isDatabaseAway(error) && !OWN_FAULT.test(sqlState(error) ?? '');
}

/** Whether the server took a transaction back for the sake of another one: a deadlock, or no serial order. It may be run again. */
export function gaveWay(error: unknown): boolean {
  return /^40(?:001|P01)$/.test(sqlState(error) ?? '');
}

/** The name of the unique constraint that a row would have violated; undefined for every other error. */
export const violatedUnique = (error: unknown): string | undefined => violated('23505', error);

/** The same for a foreign key. */
export const violatedForeign = (error: unknown): string | undefined => violated('23503', error);

function violated(state: string, error: unknown): string | undefined {
  const source: unknown = error instanceof QueryFailedError ? error.driverError : error;
  if (sqlState(source) !== state || !(source instanceof Error && 'constraint' in source)) return undefined;
  return typeof source.constraint === 'string' ? source.constraint : undefined;
}

/** The SQLSTATE of an SQL error, or the system's code (`ECONNREFUSED`). */
export function sqlState(error: unknown): string | undefined {
  const source: unknown = error instanceof QueryFailedError ? error.driverError : error;
  return source instanceof Error && 'code' in source && typeof source.code === 'string' ? source.code : undefined;
}
