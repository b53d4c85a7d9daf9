import type { JSX } from 'preact';
import { Card, Notice } from './page-elements.js';

export interface ErrorPageProps {
  readonly status: number;
  readonly title?: string;
  /** The public description of the symptom. */
  readonly description: string;
  /** Where all causes of this symptom are explained. */
  readonly errorUri?: string;
  readonly requestId: string;
  readonly retryAfterSeconds?: number;
}

/** What a person sees when a request cannot be answered. It never leads back to an application that was not verified. */
export function ErrorPage({
  status,
  title,
  description,
  errorUri,
  requestId,
  retryAfterSeconds,
}: ErrorPageProps): JSX.Element {
  return (
    <Card labelledBy="title">
      <h1 id="title">{title ?? titleOf(status)}</h1>
      <Notice kind="bad">{sentence(description)}</Notice>
      {retryAfterSeconds !== undefined && <p>{`Please try again in ${inWords(retryAfterSeconds)}.`}</p>}
      {errorUri && (
        <p>
          <a href={errorUri}>What this means and how to fix it</a>
        </p>
      )}
      {requestId && (
        <p class="quiet small">
          If you ask for help, give this number: <code>{requestId}</code>
        </p>
      )}
    </Card>
  );
}

function titleOf(status: number): string {
  if (status === 403) return 'This is not possible here';
  if (status === 404) return 'There is nothing here';
  if (status === 429) return 'Too many attempts';
  if (status === 503) return 'We will be back in a moment';
  return status >= 500 ? 'Something broke on our side' : 'Something is not right';
}

/** Protocol descriptions begin in lower case, some with the name of a parameter, and have no full stop. */
function sentence(text: string): string {
  const start = /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() : text.charAt(0);
  return `${start}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** A waiting time that nobody has to convert: `40 seconds`, `15 minutes`. */
export function inWords(seconds: number): string {
  const [count, unit] =
    seconds < 60 ? [Math.max(1, Math.ceil(seconds)), 'second'] : [Math.ceil(seconds / 60), 'minute'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
