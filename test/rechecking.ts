import { aFlow, tokensOf, type Flow } from './builders.js';
import { arrive, SEALING, startFederation, type Federation } from './federating.js';
import { HttpBrowser } from './http-browser.js';

export const INTERVAL_SECONDS = 15 * 60;

/** Both providers are there; acme is asked again after a quarter of an hour. */
export const startRechecking = (): Promise<Federation> =>
  startFederation({ provider: 'recheck: 15m, hosted_domains: [corp.example]', options: { settings: SEALING } });

/** Somebody who came from acme, and what an application has of them. */
export interface FromAcme {
  readonly login: string;
  readonly userId: string;
  readonly browser: HttpBrowser;
  readonly flow: Flow;
  readonly refreshToken: string;
}

let people = 0;

export async function fromAcme(at: Federation, claims: Record<string, unknown> = {}): Promise<FromAcme> {
  const login = `member-${(people += 1)}`;
  await at.acme.set({ people: { [login]: claims } });
  const browser = new HttpBrowser();
  const { status } = await arrive(at, browser, login);
  if (status !== 303) throw new Error(`not signed in: ${status}`);
  const flow = await aFlow(at.app, { token_endpoint_auth_method: 'client_secret_basic' });
  const { tokens } = await tokensOf(flow, {}, browser);
  const { userId } = await standingOf(at, login);
  return { login, userId, browser, flow, refreshToken: tokens.refresh_token };
}

export interface StandingRow {
  readonly id: string;
  readonly userId: string;
  readonly groups: string[] | null;
  readonly checkedAt: Date;
  readonly refusedAt: Date | null;
  readonly sealed: string | null;
  readonly begunAt: Date | null;
}

export async function standingOf(at: Federation, login: string): Promise<StandingRow> {
  const [row] = await at.app.sql<StandingRow>(
    `select id, user_id as "userId", groups, checked_at as "checkedAt", refused_at as "refusedAt", sealed_refresh_token as sealed,
            check_began_at as "begunAt" from identities where subject = $1 and issuer = $2`,
    [login, at.acme.origin],
  );
  if (!row) throw new Error(`nobody is known as ${login}`);
  return row;
}

export const isSignedIn = async (at: Federation, { browser }: Pick<FromAcme, 'browser'>): Promise<boolean> =>
  (await browser.get(`${at.app.issuer}/account`)).status === 200;

/** The newest refusal of a refresh. */
export async function whyRefused(at: Federation, requestId: string): Promise<unknown> {
  const rows = await at.app.sql<{ action: string; reason: string }>(
    'select action, reason from audit_events where request_id = $1',
    [requestId],
  );
  return rows.find(({ action }) => action === 'token.refresh_denied')?.reason;
}
