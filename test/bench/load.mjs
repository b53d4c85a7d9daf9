/**
 * The load, in a process of its own: some connections, each asking for its next token as soon as it has the last.
 *
 * A message names the endpoint, the client and what to do: `form` is sent as it is, or each connection refreshes its own
 * `refreshTokens` in turn. Every answer is read: one without an access token, or with the refresh token that was sent, is an error.
 */
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';

process.on('message', async (task) => process.send(await run(task)));
process.on('disconnect', () => process.exit());

async function run({ url, authorization, connections, leadSeconds, seconds, ...work }) {
  const { origin, pathname: path } = new URL(url);
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' };
  const latencies = createHistogram(); // in microseconds
  const counted = { acknowledged: 0, tokens: 0, errors: 0, firstError: undefined, measuring: false, done: false };

  const connection = async (index) => {
    const client = new Client(origin, { pipelining: 1 });
    const next = work.form ? repeating(work.form) : rotating(work.refreshTokens, index, connections);
    let last;
    while (!counted.done) {
      const body = next.body();
      const begun = process.hrtime.bigint();
      const { status, text } = await post(client, { path, headers, body });
      const micros = Number((process.hrtime.bigint() - begun) / 1000n);
      const answer = status === 200 ? JSON.parse(text) : {};
      if (typeof answer.access_token !== 'string' || !next.take(answer)) {
        counted.errors += 1;
        counted.firstError ??= `${status} ${text.slice(0, 300)}`;
        break; // a family that was refused once cannot be refreshed again
      }
      last = answer.access_token;
      counted.acknowledged += 1;
      if (!counted.measuring) continue;
      counted.tokens += 1;
      latencies.record(Math.max(1, micros));
    }
    await client.close();
    return last;
  };

  const all = Array.from({ length: connections }, (_, index) => connection(index));
  await sleep(leadSeconds * 1000);
  const began = process.hrtime.bigint();
  counted.measuring = true;
  await sleep(seconds * 1000);
  counted.measuring = false;
  counted.done = true;
  const ended = process.hrtime.bigint();
  const accessTokens = await Promise.all(all);
  return {
    acknowledged: counted.acknowledged,
    errors: counted.errors,
    firstError: counted.firstError,
    perSecond: counted.tokens / (Number(ended - began) / 1e9),
    p50: latencies.percentile(50) / 1000,
    p99: latencies.percentile(99) / 1000,
    window: { began: Number(began / 1000n), ended: Number(ended / 1000n) },
    accessTokens,
    refreshTokens: work.refreshTokens,
  };
}

/** The same request again and again. */
const repeating = (form) => ({ body: () => form, take: () => true });

/** Every `step`-th family from `first`, in turn: each with the refresh token that its last answer brought. */
function rotating(refreshTokens, first, step) {
  let at = first;
  return {
    body: () => `grant_type=refresh_token&refresh_token=${encodeURIComponent(refreshTokens[at])}`,
    /** @returns whether the answer brought another one */
    take: ({ refresh_token: token }) => {
      if (typeof token !== 'string' || token === refreshTokens[at]) return false;
      refreshTokens[at] = token;
      at = at + step < refreshTokens.length ? at + step : first;
      return true;
    },
  };
}

function post(client, request) {
  return new Promise((resolve) => {
    const chunks = [];
    let status = 0;
    client.dispatch(
      { method: 'POST', ...request },
      {
        onRequestStart() {},
        onResponseStart(_controller, code) {
          status = code;
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd: () => resolve({ status, text: Buffer.concat(chunks).toString() }),
        onResponseError: (_controller, error) => resolve({ status: 0, text: String(error) }),
      },
    );
  });
}
