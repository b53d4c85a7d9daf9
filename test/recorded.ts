import type { TestApp } from './app.js';

export interface RecordedEvent {
  readonly action: string;
  readonly reason: string | null;
  readonly client_id: string | null;
  readonly actor_id: string | null;
}

/** What the audit holds of one request, by the id that its answer carries. */
export const recorded = (app: TestApp, { headers }: { headers: Headers }): Promise<RecordedEvent[]> =>
  app.sql('select action, reason, client_id, actor_id from audit_events where request_id = $1 order by id', [
    headers.get('x-request-id'),
  ]);
