/** A browser without a screen: keeps cookies, follows nothing by itself, and fills in the forms of a page. */
export class HttpBrowser {
  readonly cookies = new Map<string, string>();

  async get(url: string, headers: Record<string, string> = {}): Promise<Visit> {
    return this.#request(url, { headers });
  }

  /** Posts fields as a form of our own page would. */
  async post(url: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Visit> {
    return this.#request(url, {
      method: 'POST',
      headers: { origin: new URL(url).origin, 'sec-fetch-site': 'same-origin', ...headers },
      body: new URLSearchParams(fields),
    });
  }

  /** Follows redirects as long as they stay at `origin`. */
  async follow(visit: Visit, origin: string): Promise<Visit> {
    let at = visit;
    while (at.location?.startsWith(`${origin}/`)) at = await this.get(at.location);
    return at;
  }

  async #request(url: string, init: RequestInit): Promise<Visit> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { accept: 'text/html', ...(cookie ? { cookie } : {}), ...(init.headers as Record<string, string>) };
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return new Visit(url, response, await response.text());
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (value === '' || /max-age=0/i.test(line) || /expires=thu, 01 jan 1970/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** One answer, as a person would see it. */
export class Visit {
  constructor(
    readonly url: string,
    readonly response: Response,
    readonly html: string,
  ) {}

  get status(): number {
    return this.response.status;
  }

  /** Where it sends the browser, absolute. */
  get location(): string | undefined {
    const location = this.response.headers.get('location');
    return location === null ? undefined : new URL(location, this.url).href;
  }

  /** The inputs of the form that has a field or button called `having`, as they stand on the page; boxes only when ticked. */
  form(having: string): Record<string, string> {
    const form = [...this.html.matchAll(/<form[\s\S]*?<\/form>/g)]
      .map(([html]) => html)
      .find((html) => html.includes(`name="${having}"`));
    if (form === undefined) throw new Error(`no form with ${having} on ${this.url}: ${this.html.slice(-600)}`);
    const fields: Record<string, string> = {};
    for (const [input] of form.matchAll(/<input[^>]*>/g)) {
      const name = /name="([^"]*)"/.exec(input)?.[1];
      if (name === undefined || (input.includes('type="checkbox"') && !/\schecked/.test(input))) continue;
      fields[name] = unescape(/value="([^"]*)"/.exec(input)?.[1] ?? '');
    }
    return fields;
  }
}

const unescape = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
