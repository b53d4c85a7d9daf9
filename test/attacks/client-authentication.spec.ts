import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aConfidentialClient, audited, type ClientFixture } from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { SERVER_TRUSTED_PROXIES: '127.0.0.1/32' } });
});
afterAll(() => app.close());

const basic = (id: string, secret = ''): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

interface Attempt {
  readonly form?: Record<string, string>;
  readonly authorization?: string;
  /** The address it comes from; one of its own, unless named. */
  readonly from?: string;
  readonly at?: TestApp;
}

let sender = 0;
async function attempt({ form = {}, authorization, from, at = app }: Attempt) {
  sender += 1;
  const response = await fetch(`${at.url}/oauth/token`, {
    method: 'POST',
    headers: {
      'x-forwarded-for': from ?? `203.0.${sender >> 8}.${sender & 255}`,
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'none', ...form }),
  });
  const { request_id, ...body } = (await response.json()) as Record<string, string>;
  const [event] = await app.sql<{ reason: string; client_id: string | null }>(
    'select reason, client_id from audit_events where request_id = $1',
    [request_id],
  );
  return { status: response.status, headers: response.headers, body, event };
}

const operatorSays = async (client: ClientFixture, verb: string): Promise<void> => {
  expect((await app.admin('PATCH', `/admin/clients/${client.id}/${verb}`)).status).toBe(200);
};

describe('who is not the client', () => {
  const cases: [string, string, (mine: ClientFixture, other: ClientFixture) => Promise<Attempt> | Attempt][] = [
    ['an unknown id', 'client_unknown', () => ({ authorization: basic('nobody', 'secret') })],
    ['an unknown public id', 'client_unknown', () => ({ form: { client_id: 'nobody' } })],
    ['no credentials', 'credentials_missing', () => ({})],
    ['an id without its secret', 'credentials_missing', ({ id }) => ({ form: { client_id: id } })],
    ['a wrong secret', 'secret_mismatch', ({ id }) => ({ authorization: basic(id, 'wrong') })],
    ['no secret in Basic', 'secret_mismatch', ({ id }) => ({ authorization: basic(id) })],
    ["another client's secret", 'secret_mismatch', ({ id }, other) => ({ authorization: basic(id, other.secret) })],
    [
      'its secret in another case',
      'secret_mismatch',
      ({ id, secret = '' }) => ({ authorization: basic(id, secret.toUpperCase()) }),
    ],
    [
      'a part of its secret',
      'secret_mismatch',
      ({ id, secret = '' }) => ({ authorization: basic(id, secret.slice(0, -1)) }),
    ],
    [
      'its id in another case',
      'client_unknown',
      ({ id, secret }) => ({ authorization: basic(id.toUpperCase(), secret) }),
    ],
    [
      'the right secret in the form',
      'auth_method_mismatch',
      ({ id, secret = '' }) => ({ form: { client_id: id, client_secret: secret } }),
    ],
    ['a bearer token', 'auth_method_mismatch', () => ({ authorization: 'Bearer abc' })],
    [
      'the right secret of a suspended client',
      'client_suspended',
      async (mine) => {
        await operatorSays(mine, 'suspend');
        return { authorization: basic(mine.id, mine.secret) };
      },
    ],
    [
      'the right secret of a revoked client',
      'client_revoked',
      async (mine) => {
        await operatorSays(mine, 'revoke');
        return { authorization: basic(mine.id, mine.secret) };
      },
    ],
    [
      'a wrong secret of a suspended client',
      'secret_mismatch',
      async (mine) => {
        await operatorSays(mine, 'suspend');
        return { authorization: basic(mine.id, 'wrong') };
      },
    ],
    [
      'an expired secret',
      'secret_expired',
      async (mine) => {
        await app.admin('POST', `/admin/clients/${mine.id}/rotate-secret`, { overlap: '0' });
        return { authorization: basic(mine.id, mine.secret) };
      },
    ],
  ];

  it.each(cases)('[K5] with %s is told the same as everybody; the operator reads %s', async (_, reason, prepare) => {
    const attempted = await prepare(await aConfidentialClient(app), await aConfidentialClient(app));
    const { status, headers, body, event } = await attempt(attempted);
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Basic realm="authserver"');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      error: 'invalid_client',
      error_description: 'client authentication failed',
      error_uri: `${app.issuer}/errors/invalid_client#client-authentication-failed`,
    });
    expect(event?.reason).toBe(reason);
  });

  it('is refused as a public client too, once that is suspended or revoked', async () => {
    const client = await aClient(app);
    await operatorSays(client, 'suspend');
    expect(await attempt({ form: { client_id: client.id } })).toMatchObject({
      status: 401,
      event: { reason: 'client_suspended' },
    });
    await operatorSays(client, 'revoke');
    expect(await attempt({ form: { client_id: client.id } })).toMatchObject({
      status: 401,
      event: { reason: 'client_revoked' },
    });
  });

  it('cannot use a public id with a secret of its own making', async () => {
    const { id } = await aClient(app);
    const { status, event } = await attempt({ authorization: basic(id, 'x') });
    expect([status, event?.reason, event?.client_id]).toEqual([401, 'auth_method_mismatch', id]);
  });

  it('is not found by characters that SQL or a wildcard would read', async () => {
    for (const id of ["' or '1'='1", '%', '*', '../admin']) {
      expect(await attempt({ form: { client_id: id } })).toMatchObject({
        status: 401,
        event: { reason: 'client_unknown' },
      });
    }
  });
});

describe('credentials that may be read in two ways', () => {
  it('are refused when a secret stands in both places', async () => {
    const { id, secret = '' } = await aConfidentialClient(app);
    const { status, body, event } = await attempt({
      authorization: basic(id, secret),
      form: { client_secret: secret },
    });
    expect([status, body['error'], event?.reason]).toEqual([400, 'invalid_request', 'two_methods']);
  });

  it('are refused when header and body name two clients', async () => {
    const [mine, other] = [await aConfidentialClient(app), await aConfidentialClient(app)];
    const { status, event } = await attempt({
      authorization: basic(mine.id, mine.secret),
      form: { client_id: other.id },
    });
    expect([status, event?.reason]).toEqual([400, 'client_id_differs']);
  });

  it('[P5] are refused when Basic is not strict base64, even if its bytes were right', async () => {
    const { id, secret = '' } = await aConfidentialClient(app);
    const right = basic(id, secret);
    for (const header of [`${right.slice(0, 12)}!${right.slice(12)}`, right.replace(/=*$/, '===='), `${right} x`]) {
      const { status, event } = await attempt({ authorization: header });
      expect([status, event?.reason]).toEqual([400, 'parameter_malformed']);
    }
  });

  it('[P1] are refused when there are two Authorization headers', async () => {
    const { id, secret = '' } = await aConfidentialClient(app);
    const body = 'grant_type=refresh_token&refresh_token=none';
    const form = ['Content-Type', 'application/x-www-form-urlencoded', 'Content-Length', String(body.length)];
    const status = await new Promise((resolve, reject) => {
      const sent = request(`${app.url}/oauth/token`, {
        method: 'POST',
        headers: [
          'Host',
          new URL(app.url).host,
          ...form,
          'Authorization',
          basic(id, secret),
          'Authorization',
          basic('other'),
        ],
      });
      sent.on('response', (response) => resolve(response.resume().statusCode));
      sent.on('error', reject).end(body);
    });
    expect(status).toBe(400);
    expect((await audited(app, 'token.refresh_denied')).map((row) => row.reason)).toContain('parameter_repeated');
  });
});

describe('[K7] guessing', () => {
  it('is slowed down after ten failures in a minute, without shutting out whoever knows the secret', async () => {
    const client = await aConfidentialClient(app);
    const guess = (from = '198.51.100.1') => attempt({ authorization: basic(client.id, 'guess'), from });
    for (let n = 0; n < 10; n++) expect((await guess()).status).toBe(401);
    const { status, headers, body, event } = await guess();
    expect([status, body['error'], body['error_description']]).toEqual([429, 'slow_down', 'too many requests']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(event).toEqual({ reason: 'rate_limited', client_id: client.id });

    expect((await guess('198.51.100.2')).status).toBe(401);
    const neighbour = await aConfidentialClient(app);
    expect((await attempt({ authorization: basic(neighbour.id, 'guess'), from: '198.51.100.1' })).status).toBe(401);
    const right = await attempt({ authorization: basic(client.id, client.secret), from: '198.51.100.1' });
    expect(right.body['error']).toBe('invalid_grant');
  });

  it('is counted by address alone when the ids are made up', async () => {
    for (let n = 0; n < 10; n++) {
      expect((await attempt({ form: { client_id: `made-up-${n}` }, from: '198.51.100.3' })).status).toBe(401);
    }
    expect((await attempt({ form: { client_id: 'made-up-10' }, from: '198.51.100.3' })).status).toBe(429);
  });

  it('learns nothing from the time it takes: unknown ids cost what wrong secrets cost', async () => {
    const { id } = await aConfidentialClient(app);
    const took = async (who: string): Promise<number> => {
      const start = performance.now();
      await attempt({ authorization: basic(who, 'guess') });
      return performance.now() - start;
    };
    const times = { known: [] as number[], unknown: [] as number[] };
    for (let n = 0; n < 60; n++) {
      times.known.push(await took(id));
      times.unknown.push(await took('0199aaaa-0000-7000-8000-000000000000'));
    }
    const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length / 2] ?? NaN;
    const ratio = median(times.known) / median(times.unknown);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });
});

describe('a pepper', () => {
  it('makes stolen hashes useless, and its loss has a reason of its own', async () => {
    const peppered = await startTestApp({ beside: app, settings: { CLIENT_SECRET_PEPPER: 'a pepper of some length' } });
    const client = await aConfidentialClient(peppered);
    const known = await attempt({ authorization: basic(client.id, client.secret), at: peppered });
    expect(known.body['error']).toBe('invalid_grant');
    const without = await attempt({ authorization: basic(client.id, client.secret) });
    expect([without.status, without.event?.reason]).toEqual([401, 'pepper_changed']);
    await peppered.close();
  });
});
