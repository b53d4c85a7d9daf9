import { applyDecorators, UseGuards, UseInterceptors, UsePipes, ValidationPipe } from '@nestjs/common';
import { AdminController } from '../platform/http/listeners.js';
import { ApiKeyGuard } from './api-key-guard.js';
import { DomainProblems } from './domain-problems.js';
import { JsonBodyGuard } from './json-body-guard.js';

/**
 * A controller of the operator's API below `/admin/`: it asks for the key before it looks at anything else, reads JSON only, and
 * refuses members that its DTO does not name, so that nothing is assigned that was not meant to be.
 */
export const OperatorController = (path = ''): ClassDecorator =>
  applyDecorators(
    AdminController(`admin/${path}`),
    UseGuards(ApiKeyGuard, JsonBodyGuard),
    UseInterceptors(DomainProblems),
    UsePipes(
      new ValidationPipe({
        whitelist: true,
        forbidNonWhitelisted: true,
        transform: true,
        validateCustomDecorators: true,
        stopAtFirstError: true,
      }),
    ),
  );
