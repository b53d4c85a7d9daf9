import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HttpBrowser, Visit } from '../http-browser.js';

const SERVER = join(import.meta.dirname, 'upstream-server.mjs');

export interface UpstreamSettings {
  /** Seconds. */
  accessTokenTtl: number;
  /** Whether it gives refresh tokens. */
  refreshTokens: boolean;
  /** Whether every refresh gives a new one. */
  rotate: boolean;
  /** Whether it insists on PKCE. */
  pkce: boolean;
}

type Counts = Record<'authorization_code' | 'refresh_token' | 'revocation', number>;

export interface UpstreamClient {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** A third party's OAuth server with an API behind it, in a process of its own. */
export class Upstream {
  private constructor(
    readonly origin: string,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(settings: Partial<UpstreamSettings> = {}): Promise<Upstream> {
    const child = spawn(process.execPath, [SERVER], { stdio: ['ignore', 'pipe', 'ignore'] });
    const origin = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => line.startsWith('http') && resolve(line));
      child.once('exit', (code) => reject(new Error(`upstream ended with ${code}`)));
    });
    const upstream = new Upstream(origin, async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    });
    await upstream.set(settings);
    return upstream;
  }

  /** From now on. */
  async set(settings: Partial<UpstreamSettings>): Promise<void> {
    await this.#control({ method: 'POST', body: JSON.stringify(settings) });
  }

  /** How often its token and revocation endpoints were asked, by what for. */
  async requests(): Promise<Counts> {
    return (await this.#control()).requests;
  }

  /** How many of these it refused. */
  async refused(): Promise<Counts> {
    return (await this.#control()).refused;
  }

  /** Registers us there (RFC 7591). */
  async register(redirectUri: string, metadata: object = {}): Promise<UpstreamClient> {
    const response = await fetch(`${this.origin}/reg`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        ...metadata,
      }),
    });
    const body = (await response.json()) as { client_id: string; client_secret: string };
    if (response.status !== 201) throw new Error(`upstream refused the registration: ${JSON.stringify(body)}`);
    return { clientId: body.client_id, clientSecret: body.client_secret };
  }

  /** What its API says to whoever shows this access token. */
  async me(accessToken: string): Promise<{ status: number; login?: string; scope?: string }> {
    const response = await fetch(`${this.origin}/api/me`, { headers: { authorization: `Bearer ${accessToken}` } });
    return { status: response.status, ...((await response.json()) as object) };
  }

  /**
   * Signs the person in there and allows what is asked, as far as it stands on its pages.
   *
   * @param visit a redirect to upstream
   * @returns the redirect back
   */
  async allow(
    browser: HttpBrowser,
    visit: Visit,
    { login = 'ada', without = [], deny = false }: { login?: string; without?: readonly string[]; deny?: boolean } = {},
  ): Promise<Visit> {
    let page = await browser.follow(visit, this.origin);
    if (page.html.includes('name="login"'))
      page = await browser.follow(await browser.post(page.url, { login }), this.origin);
    if (page.html.includes('name="decision"')) {
      const fields = Object.entries(page.form('decision')).filter(([name]) => !without.includes(name.slice(6)));
      const decision = deny ? 'deny' : 'allow';
      page = await browser.follow(
        await browser.post(page.url, { ...Object.fromEntries(fields), decision }),
        this.origin,
      );
    }
    if (page.location === undefined) throw new Error(`upstream gave no redirect, but ${page.status}: ${page.html}`);
    return page;
  }

  async #control(init?: RequestInit): Promise<{ requests: Counts; refused: Counts }> {
    return (await (await fetch(`${this.origin}/control`, init)).json()) as { requests: Counts; refused: Counts };
  }
}
