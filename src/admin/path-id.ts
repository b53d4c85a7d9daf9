import { Param, type PipeTransform } from '@nestjs/common';
import { isPlainText } from '#libs/oauth';
import { notFound } from './problem.js';

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** An id in a path that cannot be anybody's is simply not found; it never reaches the database. */
export class UuidOf implements PipeTransform<string, string> {
  constructor(private readonly what: string) {}

  transform(id: string): string {
    if (!uuid.test(id)) throw notFound(this.what);
    return id.toLowerCase();
  }
}

/** An id that may be a word or a URL: a client's, a key's, a resource's slug. */
export class NameOf implements PipeTransform<string, string> {
  constructor(private readonly what: string) {}

  transform(id: string): string {
    if (id.length > 2048 || !isPlainText(id)) throw notFound(this.what);
    return id;
  }
}

export const UserId = (): ParameterDecorator => Param('id', new UuidOf('user'));
