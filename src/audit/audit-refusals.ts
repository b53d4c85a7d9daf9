import { mixin, type CallHandler, type ExecutionContext, type NestInterceptor, type Type } from '@nestjs/common';
import type { Request } from 'express';
import { catchError, type Observable } from 'rxjs';
import { OAuthError } from '#libs/oauth';
import { formOf } from '../platform/http/body.js';
import { AuditLog } from './audit-log.js';

/**
 * An interceptor that records every refusal of an endpoint under `action`, with its private reason. The client is the one that
 * the refusing check named in `facts.clientId`, else the one the request claims to be from.
 */
export function auditRefusals(action: (req: Request) => string): Type<NestInterceptor> {
  class RefusalRecorder implements NestInterceptor {
    constructor(readonly audit: AuditLog) {}

    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return next.handle().pipe(
        catchError(async (error: unknown) => {
          if (error instanceof OAuthError && error.status < 500) {
            const req = context.switchToHttp().getRequest<Request>();
            const { clientId = formOf(req)?.get('client_id'), ...detail } = error.facts;
            await this.audit.refused({
              action: action(req),
              reason: error.reason,
              clientId: typeof clientId === 'string' ? clientId : undefined,
              detail,
            });
          }
          throw error;
        }),
      );
    }
  }
  Reflect.defineMetadata('design:paramtypes', [AuditLog], RefusalRecorder);
  return mixin(RefusalRecorder);
}
