import { Transform } from 'class-transformer';
import { IsInt, Max, Min } from 'class-validator';
import { IsText, MayBeAbsent } from './member-checks.js';

const maxLimit = 1000;
const maxOffset = 100_000;

/** A query parameter that is a whole number; anything else stays text and fails its check. */
export const WholeNumber = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value));

/** How a list is asked for in pages (W25). */
export class PageQuery {
  /** How many at most. */
  @MayBeAbsent()
  @WholeNumber()
  @Max(maxLimit)
  @Min(1)
  @IsInt()
  limit?: number = 100;

  /** `next_cursor` of the page before. */
  @MayBeAbsent()
  @IsText(2048)
  cursor?: string;

  /** The slower way to say where to go on. */
  @MayBeAbsent()
  @WholeNumber()
  @Max(maxOffset)
  @Min(0)
  @IsInt()
  offset?: number;
}

/** A page as it is answered; `next_cursor` is absent on the last one. */
export function pageOf(member: string, views: readonly object[], nextCursor: string | undefined): Record<string, unknown> {
  return { [member]: views, ...(nextCursor === undefined ? {} : { next_cursor: nextCursor }) };
}
