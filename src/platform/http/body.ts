import { AsyncResource } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { OAuthError, parseForm, parseJson, type Form } from '#libs/oauth';

const MAX_BODY_BYTES = 64 * 1024;
const bodies = new WeakMap<Request, Buffer>();
const forms = new WeakMap<Request, Form>();

/** Collects the small bodies of the public listener; what they mean is decided by the endpoint that reads them. */
export function collectBody(req: Request, res: Response, next: NextFunction): void {
  if (req.method !== 'POST' && req.method !== 'PUT') return next();
  // The stream's events come from the socket, outside the context of this request.
  const resume = AsyncResource.bind(next);
  const chunks: Buffer[] = [];
  let size = 0;
  req.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  req.once('end', () => {
    if (size > MAX_BODY_BYTES)
      return resume(new OAuthError('body-too-large', 'body_too_large', { headers: { Connection: 'close' } }));
    bodies.set(req, Buffer.concat(chunks));
    resume();
  });
  // The sender is gone: there is nobody to answer, and nothing of ours went wrong.
  req.once('error', () => res.destroy());
}

/** Beside the parsed body of the operator's listener, for what is kept as it was sent. */
export const keepRawBody = (req: IncomingMessage, _res: unknown, body: Buffer): void =>
  void bodies.set(req as Request, body);

/** The text of a JSON body, which means one thing only: no member twice. */
export const RawJsonBody = createParamDecorator((_: unknown, context: ExecutionContext): string => {
  const text = textOf(context.switchToHttp().getRequest<Request>(), 'application/json');
  parseJson(text);
  return text;
});

/** The urlencoded body as a `Form`. RFC 6749 Appendix B. */
export const FormBody = createParamDecorator((_: unknown, context: ExecutionContext): Form => {
  return readForm(context.switchToHttp().getRequest<Request>());
});

/** @throws OAuthError `media-type-unsupported`, `body-unreadable`, `parameter-repeated`, `parameter-malformed` */
export function readForm(req: Request): Form {
  const form = parseForm(textOf(req, 'application/x-www-form-urlencoded'));
  forms.set(req, form);
  return form;
}

/** The form that was read from a request's body, for those who look at it after the endpoint did. */
export const formOf = (req: Request): Form | undefined => forms.get(req);

/** The JSON body, in which no member may occur twice. */
export const JsonBody = createParamDecorator((_: unknown, context: ExecutionContext): unknown => {
  return parseJson(textOf(context.switchToHttp().getRequest<Request>(), 'application/json'));
});

/** The query of the URL as a `Form`, under the same rules as a body. */
export const QueryForm = createParamDecorator((_: unknown, context: ExecutionContext): Form => {
  return parseForm(queryOf(context.switchToHttp().getRequest<Request>()));
});

/** The query of the URL as it was sent, without the `?`. */
export function queryOf({ originalUrl }: Request): string {
  const start = originalUrl.indexOf('?');
  return start === -1 ? '' : originalUrl.slice(start + 1);
}

function textOf(req: Request, expected: string): string {
  if (req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() !== expected) {
    throw new OAuthError('media-type-unsupported', 'media_type_unsupported', { fill: { expected } });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bodies.get(req) ?? Buffer.alloc(0));
  } catch (cause) {
    throw new OAuthError('body-unreadable', 'body_malformed', { fill: { expected: 'valid UTF-8' }, cause });
  }
}
