import type { Page } from '../platform/http/page.js';
import { Card, Notice } from '../platform/http/page-elements.js';

export interface ConsentDoneProps {
  readonly client: string;
  readonly resource: string;
  readonly allowed: boolean;
}

/** The end of a consent that began outside the browser: there is no address to go back to. */
export function consentDonePage({ client, resource, allowed }: ConsentDoneProps): Page {
  return {
    title: allowed ? 'Allowed' : 'Not allowed',
    body: (
      <Card labelledBy="title">
        <h1 id="title">{allowed ? 'Allowed' : 'Not allowed'}</h1>
        <Notice kind={allowed ? 'good' : undefined}>
          <p>
            <bdi>{client}</bdi> {allowed ? 'may now use' : 'may not use'} <bdi>{resource}</bdi> on your behalf.
          </p>
        </Notice>
        <p>You can return to your application.</p>
      </Card>
    ),
  };
}
