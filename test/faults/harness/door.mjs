/**
 * How everybody here asks the servers something, and what comes of it, in one of these words:
 *
 *   ok        what was asked for
 *   refused   the server says no (4xx)
 *   away      the server says that it cannot now: 503, which must say when to come again
 *   lost      no answer of the server: connection refused or broken, time-out, or the ingress's own 502 or 504
 *
 * Any other answer is a violation.
 */
import { Agent, request } from 'undici';

const PATIENCE_MILLIS = 8_000;

export class Door {
  #agent = new Agent({ connections: 64, pipelining: 1, keepAliveTimeout: 4_000 });

  constructor(ingressUrl, ledger, timeline) {
    Object.assign(this, { ingressUrl, ledger, timeline });
  }

  /**
   * @param kind what the timeline calls it
   * @param at the URL of a replica, to go past the ingress
   * @returns `{ outcome, status, headers, body, mayHaveBeenDone }`
   */
  async ask(kind, path, { at = this.ingressUrl, method = 'POST', headers = {}, form, json } = {}) {
    const began = performance.now();
    const answer = await this.#send(new URL(path, at), { method, headers, ...bodyOf({ form, json }) });
    this.timeline.add({
      kind,
      outcome: answer.outcome,
      began,
      ended: performance.now(),
      what: answer.what,
      direct: at !== this.ingressUrl,
    });
    return answer;
  }

  async #send(url, { method, headers, type, content }) {
    let status, received, body;
    try {
      const response = await request(url, {
        method,
        dispatcher: this.#agent,
        headers: {
          ...headers,
          host: new URL(this.ingressUrl).host,
          ...(type && { 'content-type': type }),
        },
        body: content,
        signal: AbortSignal.timeout(PATIENCE_MILLIS),
      });
      ({ statusCode: status, headers: received } = response);
      body = await response.body.text();
    } catch (error) {
      return {
        outcome: 'lost',
        what: typeof error.code === 'string' ? error.code : error.name,
        mayHaveBeenDone: error.code !== 'ECONNREFUSED',
      };
    }
    if (received['x-request-id'] === undefined)
      return { outcome: 'lost', what: `ingress ${status}`, mayHaveBeenDone: true };
    const json = (received['content-type'] ?? '').includes('json') ? JSON.parse(body) : undefined;
    const outcome = status >= 500 ? 'away' : status >= 400 ? 'refused' : 'ok';
    const what = status >= 400 ? `${status} ${json?.error ?? 'page'}` : String(status);
    if (outcome === 'away') this.#checkAway(url, status, received, json);
    const mayHaveBeenDone =
      outcome === 'away' && (json?.error_description ?? body).includes('may have been carried out');
    return { outcome, what, status, headers: received, body: json ?? body, mayHaveBeenDone };
  }

  #checkAway(url, status, headers, json) {
    const wellFormed = status === 503 && Number(headers['retry-after']) > 0;
    const isPage = !json && (headers['content-type'] ?? '').startsWith('text/html');
    const named = isPage || url.pathname.startsWith('/admin/') || json?.error === 'temporarily_unavailable';
    if (!wellFormed || !named)
      this.ledger.violate(
        'a failure that is not a well-formed 503',
        `${url.pathname}: ${status}, Retry-After ${headers['retry-after']}, ${JSON.stringify(json)?.slice(0, 300)}`,
      );
  }

  close() {
    return this.#agent.destroy();
  }
}

function bodyOf({ form, json }) {
  if (form) return { type: 'application/x-www-form-urlencoded', content: new URLSearchParams(form).toString() };
  return json ? { type: 'application/json', content: JSON.stringify(json) } : {};
}
