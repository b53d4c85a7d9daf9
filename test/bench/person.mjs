/** A person at a browser: signs in, allows, and from then on only follows redirects, because the consent is there. */
import { createHash, randomBytes } from 'node:crypto';

export const redirectUri = 'https://client.example/callback';

export class Person {
  #cookies = new Map();
  #issuer;
  #account;

  /** @param account e-mail address and password of somebody whom the server knows */
  constructor(issuer, account) {
    this.#issuer = issuer;
    this.#account = account;
  }

  /** @returns an authorization code and its verifier */
  async code({ clientId, resource, scope }) {
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      resource,
      scope,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const { email, password } = this.#account;
    let page = await this.#visit(`${this.#issuer}/oauth/authorize?${query}`);
    if (page.html.includes('name="password"')) {
      page = await this.#visit(`${this.#issuer}/login`, { ...fieldsOf(page.html, 'password'), email, password });
    }
    if (page.html.includes('name="decision"')) {
      page = await this.#visit(`${this.#issuer}/consent`, { ...fieldsOf(page.html, 'decision'), decision: 'allow' });
    }
    const code = new URL(page.location ?? this.#issuer).searchParams.get('code');
    if (code === null) throw new Error(`no code: ${page.status} ${page.location} ${page.html.slice(-500)}`);
    return { code, verifier };
  }

  /** Follows redirects as long as they stay here. */
  async #visit(url, form) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const ours = form && { origin: this.#issuer, 'sec-fetch-site': 'same-origin' };
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      headers: { accept: 'text/html', cookie, ...ours },
      body: form && new URLSearchParams(form),
      redirect: 'manual',
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value) this.#cookies.set(name, value);
    }
    const html = await response.text();
    const to = response.headers.get('location');
    const location = to === null ? undefined : new URL(to, url).href;
    return location?.startsWith(`${this.#issuer}/`)
      ? this.#visit(location)
      : { status: response.status, location, html };
  }
}

/** The inputs of the form that has a field or button of this name, as a browser would send them. */
function fieldsOf(html, having) {
  const [form = ''] = [...html.matchAll(/<form[\s\S]*?<\/form>/g)]
    .map(([text]) => text)
    .filter((text) => text.includes(`name="${having}"`));
  const inputs = [...form.matchAll(/<input[^>]*>/g)].map(([input]) => input);
  const sent = inputs.filter((input) => !input.includes('type="checkbox"') || /\schecked/.test(input));
  const value = (input, name) => new RegExp(`${name}="([^"]*)"`).exec(input)?.[1]?.replaceAll('&amp;', '&') ?? '';
  return Object.fromEntries(sent.map((input) => [value(input, 'name'), value(input, 'value')]));
}
