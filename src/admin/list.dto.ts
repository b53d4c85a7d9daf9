import { Transform } from 'class-transformer';
import { IsIn, IsInt, IsUUID, Max, Min } from 'class-validator';
import { IsText, MayBeAbsent } from './member-checks.js';

const maxLimit = 1000;
const maxOffset = 100_000;

/** A query parameter that is a whole number; anything else stays text and fails its check. */
export const WholeNumber = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value,
  );

class Paging {
  /** How many at most. */
  @MayBeAbsent()
  @WholeNumber()
  @Max(maxLimit)
  @Min(1)
  @IsInt()
  limit?: number = 100;

  /** The slower way to say where to go on. */
  @MayBeAbsent()
  @WholeNumber()
  @Max(maxOffset)
  @Min(0)
  @IsInt()
  offset?: number;
}

/** How a list is asked for in pages (W25). */
export class PageQuery extends Paging {
  /** `next_cursor` of the page before. */
  @MayBeAbsent()
  @IsText(2048)
  cursor?: string;
}

/** The same for what has UUIDs for ids. */
export class UuidPageQuery extends Paging {
  /** `next_cursor` of the page before. */
  @MayBeAbsent()
  @IsUUID()
  cursor?: string;
}

export class DeleteQuery {
  /** Although there are active tokens. */
  @MayBeAbsent()
  @IsIn(['true', 'false'])
  force?: 'true' | 'false';
}

/** A page as it is answered; `next_cursor` is absent on the last one. */
export function pageOf(member: string, views: readonly object[], nextCursor: string | undefined): object {
  return { [member]: views, ...(nextCursor === undefined ? {} : { next_cursor: nextCursor }) };
}

/**
 * Asks for one more than the page holds, which tells whether there is another page.
 *
 * @param list gives at most so many rows, in a stable order
 */
export async function readPage<Row extends { readonly id: string }>(
  { limit = 100 }: { readonly limit?: number },
  list: (limit: number) => Promise<readonly Row[]>,
): Promise<{ rows: readonly Row[]; nextCursor?: string }> {
  const found = await list(limit + 1);
  const rows = found.slice(0, limit);
  return found.length > limit ? { rows, nextCursor: rows.at(-1)?.id } : { rows };
}
