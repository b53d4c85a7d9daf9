import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { parseForm } from '#libs/oauth';

/** The query as an object for a DTO. Read strictly: no parameter twice, an empty one counts as absent. */
export const QueryParameters = createParamDecorator((_: unknown, context: ExecutionContext): Record<string, string> => {
  const url = context.switchToHttp().getRequest<Request>().originalUrl;
  const start = url.indexOf('?');
  return Object.fromEntries(parseForm(start === -1 ? '' : url.slice(start + 1)));
});
