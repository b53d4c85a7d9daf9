import { ArrayUnique, IsIn, Matches } from 'class-validator';
import { IsHttpUrl } from './setting-checks.js';
import { list, text } from './setting.js';

/** What operators' webhooks may be told. */
export const webhookEvents = [
  'family.revoked',
  'client.suspended',
  'client.revoked',
  'client.deleted',
  'user.disabled',
  'user.deleted',
  'connection.revoked',
  'consent.revoked',
  'signing_key.rotated',
  'signing_key.revoked',
  'secret.expiring',
] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

/** Who is told, where, and of what. */
export class WebhookSettings {
  @text('name', { default: '', about: 'What it is called in commands, the audit and the log.' })
  @Matches(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
    message: 'must be 1 to 63 lower-case letters, digits and hyphens',
  })
  readonly name: string;

  @text('url', {
    default: '',
    about: 'Where events are posted: https, or http when the issuer is on localhost. No redirect is followed.',
  })
  @IsHttpUrl()
  readonly url: string;

  @text('secret_env', {
    about:
      'Name of the environment variable that holds the secret: whsec_ and 24 to 64 bytes in base64. Two with a space between while one takes the place of the other.',
  })
  readonly secretEnv?: string;

  @text('secret_file', { about: 'A file that holds the same, in place of a variable.' })
  readonly secretFile?: string;

  @list('events', { about: 'The types of events it is told of; empty: all.' })
  @ArrayUnique({ message: 'names an event twice' })
  @IsIn(webhookEvents, { each: true, message: `must be of ${webhookEvents.join(', ')}` })
  readonly events: readonly WebhookEvent[];

  /** Read from the variable or the file; not enumerable. */
  readonly secrets: readonly Buffer[];
}
