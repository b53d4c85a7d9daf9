import { Get, Param, Res } from '@nestjs/common';
import type { Response } from 'express';
import { OAuthError } from '#libs/oauth';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { errorReference } from './error-reference.js';
import { errorCodePage, errorIndexPage } from './error-reference.page.js';

/** Where every `error_uri` leads (W2). */
@PageController('errors')
export class ErrorReferenceController {
  readonly #href: Pages['href'];

  constructor(private readonly pages: Pages) {
    this.#href = (path) => pages.href(path);
  }

  @Get()
  index(@Res() res: Response): void {
    this.pages.send(res, errorIndexPage(errorReference, this.#href));
  }

  @Get(':code')
  code(@Param('code') code: string, @Res() res: Response): void {
    const entries = errorReference.get(code);
    if (!entries) throw new OAuthError('not-found', 'not_found');
    this.pages.send(res, errorCodePage(code, entries, this.#href));
  }
}
