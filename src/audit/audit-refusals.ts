import { mixin, type CallHandler, type ExecutionContext, type NestInterceptor, type Type } from '@nestjs/common';
import type { Request } from 'express';
import { catchError, type Observable } from 'rxjs';
import { OAuthError } from '#libs/oauth';
import { formOf } from '../platform/http/body.js';
import { AuditLog } from './audit-log.js';

/**
 * Records a refusal under `action`, with its private reason; a fault is none. The client is the one that the refusing check named in
 * `facts.clientId`, else the one the request claims to be from.
 */
export async function recordRefusal(audit: AuditLog, req: Request, action: string, error: unknown): Promise<void> {
  if (!(error instanceof OAuthError) || error.status >= 500) return;
  const { clientId = formOf(req)?.get('client_id'), ...detail } = error.facts;
  await audit.refused({
    action,
    reason: error.reason,
    clientId: typeof clientId === 'string' ? clientId : undefined,
    detail,
  });
}

/** An interceptor that does so for every refusal of an endpoint. */
export function auditRefusals(action: (req: Request) => string): Type<NestInterceptor> {
  class RefusalRecorder implements NestInterceptor {
    constructor(readonly audit: AuditLog) {}

    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(
        catchError(async (error: unknown) => {
          const req = context.switchToHttp().getRequest<Request>();
          await recordRefusal(this.audit, req, action(req), error);
          throw error;
        }),
      );
    }
  }
  Reflect.defineMetadata('design:paramtypes', [AuditLog], RefusalRecorder);
  return mixin(RefusalRecorder);
}
