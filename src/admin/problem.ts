import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';

/**
 * A refusal of the operator's API, written as an RFC 9457 problem.
 *
 * @param code a stable word for programs, such as `client_not_found`
 * @param detail a sentence for people; never a secret
 * @param members what else the answer tells
 */
export class Problem extends HttpException {
  constructor(status: number, code: string, detail: string, members: Readonly<Record<string, unknown>> = {}) {
    super({ type: 'about:blank', title: STATUS_CODES[status], code, detail, ...members }, status);
  }
}

export const invalidRequest = (detail: string): Problem => new Problem(400, 'invalid_request', detail);

/** @param what as in `client`, which makes `client_not_found` */
export const notFound = (what: string): Problem => new Problem(404, `${what}_not_found`, `there is no such ${what}`);

export const conflict = (code: string, detail: string): Problem => new Problem(409, code, detail);
