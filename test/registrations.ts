import type { TestApp } from './app.js';

/** The answer to a registration (RFC 7591 §3.2.1, RFC 7592 §3). */
export interface Registered {
  readonly client_id: string;
  readonly client_secret: string;
  readonly client_secret_expires_at: number;
  readonly redirect_uris: string[];
  readonly registration_access_token: string;
  readonly registration_client_uri: string;
}

/** A client that registered itself. */
export async function registered(app: TestApp, members: Record<string, unknown> = {}): Promise<Registered> {
  const response = await fetch(`${app.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: ['https://app.example/callback'], ...members }),
  });
  if (response.status !== 201) throw new Error(`registration answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Registered;
}

/** A request of RFC 7592, with the registration's own token unless `authorization` says otherwise. */
export async function manage(
  app: TestApp,
  { client_id, registration_access_token }: Pick<Registered, 'client_id' | 'registration_access_token'>,
  method: string,
  body?: unknown,
  authorization: string | undefined = `Bearer ${registration_access_token}`,
): Promise<{ status: number; headers: Headers; body: any }> {
  const response = await fetch(`${app.url}/oauth/register/${encodeURIComponent(client_id)}`, {
    method,
    headers: {
      ...(authorization === '' ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
}
