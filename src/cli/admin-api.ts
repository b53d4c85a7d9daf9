export type Answer = Readonly<Record<string, unknown>>;
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The server answered, and the answer is no. */
export class Refused extends Error {
  override readonly name = 'Refused';

  constructor(
    readonly status: number,
    detail: string,
    readonly requestId?: string,
  ) {
    super(detail);
  }
}

/** Nobody answered, or not in time. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

const timeoutMilliseconds = 30_000;

/** The admin API over HTTP. Members that are undefined are not sent: the server leaves alone what is absent. */
export class AdminApi {
  constructor(
    private readonly baseUrl: string,
    private readonly apiKey: string,
  ) {}

  get(path: string, query: Query = {}): Promise<Answer> {
    return this.send('GET', path, query);
  }

  post(path: string, body: Answer = {}): Promise<Answer> {
    return this.send('POST', path, {}, body);
  }

  put(path: string, body: Answer): Promise<Answer> {
    return this.send('PUT', path, {}, body);
  }

  patch(path: string, body: Answer = {}): Promise<Answer> {
    return this.send('PATCH', path, {}, body);
  }

  delete(path: string, query: Query = {}, body?: Answer): Promise<Answer> {
    return this.send('DELETE', path, query, body);
  }

  private async send(method: string, path: string, query: Query, body?: Answer): Promise<Answer> {
    const url = new URL(this.baseUrl.replace(/\/+$/, '') + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const answer = await fetch(url, {
      method,
      headers: {
        Accept: 'application/json, application/problem+json',
        Authorization: `Bearer ${this.apiKey}`,
        ...(body && { 'Content-Type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
      redirect: 'error', // the key goes to the address it was given for
      signal: AbortSignal.timeout(timeoutMilliseconds),
    }).catch((cause: unknown) => {
      throw new Unreachable(`cannot reach ${url.origin}: ${reasonOf(cause)}`, { cause });
    });
    const content = await answer.text().catch((cause: unknown) => {
      throw new Unreachable(`${url.origin} broke off its answer: ${reasonOf(cause)}`, { cause });
    });
    const parsed = content === '' ? {} : parseObject(content);
    if (!answer.ok) throw refusal(answer.status, parsed ?? {});
    if (!parsed)
      throw new Refused(answer.status, `${url.origin} answered, but it is not the admin API of an authserver`);
    return parsed;
  }
}

function refusal(status: number, problem: Answer): Refused {
  const text = [problem.detail, problem.title, problem.error_description].find(
    (part) => typeof part === 'string' && part !== '',
  );
  const requestId = typeof problem.request_id === 'string' ? problem.request_id : undefined;
  return new Refused(status, `${typeof text === 'string' ? text : 'refused'} (${status})`, requestId);
}

function parseObject(text: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Answer) : undefined;
  } catch {
    return undefined;
  }
}

/** fetch says only "fetch failed"; what happened is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
