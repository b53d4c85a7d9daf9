/** A person at a browser: signs in and allows by the forms of the pages. */
import { createHash, randomBytes } from 'node:crypto';
import { PASSWORD, REDIRECT } from '../world.mjs';

export class Browser {
  #cookies = new Map();

  constructor({ door, world }, person) {
    Object.assign(this, { door, world, person });
  }

  /** @returns the last answer; `code` and `verifier` with it when the client was sent one */
  async allow(client, resource, more = {}) {
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      resource: resource.uri,
      scope: 'notes:read',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...more,
    });
    let page = await this.#visit(`/oauth/authorize?${query}`);
    const has = (name) => page.outcome === 'ok' && String(page.body).includes(`name="${name}"`);
    if (has('password'))
      page = await this.#visit('/login', {
        ...fieldsOf(page.body, 'password'),
        email: this.person.email,
        password: PASSWORD,
      });
    if (has('decision'))
      page = await this.#visit('/consent', { ...fieldsOf(page.body, 'decision'), decision: 'allow' });
    const code = page.location && new URL(page.location).searchParams.get('code');
    if (code) return { ...page, code, verifier };
    // A page instead of a code is no success, whatever its status.
    return page.outcome === 'ok' ? { ...page, outcome: 'refused', what: `no code: ${page.status}` } : page;
  }

  signOut() {
    this.#cookies.clear();
  }

  /** Follows redirects as long as they stay at the issuer. */
  async #visit(path, form) {
    const headers = {
      accept: 'text/html',
      cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      ...(form && { origin: this.world.issuer, 'sec-fetch-site': 'same-origin' }),
    };
    const answer = await this.door.ask('page', path, { method: form ? 'POST' : 'GET', headers, form });
    for (const line of [answer.headers?.['set-cookie'] ?? []].flat()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value) this.#cookies.set(name, value);
    }
    const to = answer.headers?.location;
    const location = to && new URL(to, this.world.issuer).href;
    return location?.startsWith(`${this.world.issuer}/`) ? this.#visit(location) : { ...answer, location };
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
