import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HttpBrowser, Visit } from '../http-browser.js';

const SERVER = join(import.meta.dirname, 'idp-server.mjs');

export interface IdpSettings {
  /** Claims of people, by their login name, over the usual ones; `gone`: it knows them no more. */
  people: Record<string, Record<string, unknown>>;
  /** What is wrong with the next ID token. */
  forge: {
    claims?: Record<string, unknown>;
    remove?: string[];
    unsigned?: boolean;
    /** Signed by HS256 with this secret. */
    hmac?: string;
    /** Signed by a key that is not the company's, under the company's key id or an unknown one. */
    key?: 'stranger' | 'unknown';
  };
  away: boolean;
  /** Where its keys were it says so, with 200. */
  maintenance: boolean;
  /** Who a client is at other authorization servers: by their issuer and its id here. */
  audiences: Record<string, Record<string, string>>;
  /** The token endpoint answers nobody until this is false again. */
  hold: boolean;
  /** Its former key is gone, without notice. */
  rotated: boolean;
  /** Whether it gives any. */
  refreshTokens: boolean;
}

/** What is wrong with a logout token, or nothing. */
export type LogoutForge = Omit<IdpSettings['forge'], 'claims'> & { header?: Record<string, unknown> };

export interface IdpClient {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** A company's identity provider, in a process of its own. */
export class Idp {
  private constructor(
    readonly origin: string,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(): Promise<Idp> {
    const child = spawn(process.execPath, [SERVER], { stdio: ['ignore', 'pipe', 'ignore'] });
    const origin = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => line.startsWith('http') && resolve(line));
      child.once('exit', (code) => reject(new Error(`the identity provider ended with ${code}`)));
    });
    return new Idp(origin, async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    });
  }

  /** From now on. */
  async set(settings: Partial<IdpSettings>): Promise<void> {
    await fetch(`${this.origin}/control`, { method: 'POST', body: JSON.stringify(settings) });
  }

  async requests(): Promise<Record<'authorize' | 'token' | 'refresh' | 'jwks' | 'discovery', number>> {
    return ((await (await fetch(`${this.origin}/control`)).json()) as { requests: any }).requests;
  }

  /** Every one that it gave to anybody. */
  async refreshTokens(): Promise<string[]> {
    return ((await (await fetch(`${this.origin}/control`)).json()) as { refreshTokens: string[] }).refreshTokens;
  }

  /** A logout token as it would sign it. */
  async logoutToken(claims: Record<string, unknown>, forge: LogoutForge = {}): Promise<string> {
    const response = await fetch(`${this.origin}/logout-token`, {
      method: 'POST',
      body: JSON.stringify({ claims, ...forge }),
    });
    return ((await response.json()) as { logout_token: string }).logout_token;
  }

  /** Registers us there (RFC 7591). */
  async register(redirectUris: readonly string[], metadata: object = {}): Promise<IdpClient> {
    const response = await fetch(`${this.origin}/reg`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: redirectUris, ...metadata }),
    });
    const body = (await response.json()) as { client_id: string; client_secret: string };
    if (response.status !== 201) throw new Error(`the registration was refused: ${JSON.stringify(body)}`);
    return { clientId: body.client_id, clientSecret: body.client_secret };
  }

  /**
   * Signs the person in there, if their browser is asked.
   *
   * @param visit a redirect to it
   * @returns the redirect back
   */
  async signIn(browser: HttpBrowser, visit: Visit, login: string): Promise<Visit> {
    let page = await browser.follow(visit, this.origin);
    if (page.html.includes('name="login"'))
      page = await browser.follow(await browser.post(page.url, { login }), this.origin);
    if (page.location === undefined) throw new Error(`no redirect, but ${page.status}: ${page.html}`);
    return page;
  }
}
