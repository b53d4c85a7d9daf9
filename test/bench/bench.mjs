/**
 * Tokens per second of the built server, each committed before its answer leaves, beside `oidc-provider` with its in-memory adapter:
 *
 *   npm run bench                     three minutes
 *   npm run bench -- --quick          half a minute, to see that it works
 *   npm run bench -- --profile        where our server spends its time under each load, without the peer
 *
 * In every round both loads run against both servers, one after the other and the order swapped from round to round, so that what else
 * the machine does meets both. A ratio is ours to theirs in one round. Exit code 1 when an answer was wrong or a token is not stored.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { clientCredentialsForm, Ours, Theirs } from './contenders.mjs';
import { processorMillis, processorMillisSince } from './processor-time.mjs';
import { readProfile, topSelfTimes } from './profile.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    connections: { type: 'string', default: '32' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 5));
const seconds = Number(values.seconds ?? (values.quick ? 1 : 6));
const connections = Number(values.connections);
/** Each server is warm when it has given so many tokens of a kind, or has had so long. */
const warmUp = values.quick ? { tokens: 500, seconds: 2 } : { tokens: 10_000, seconds: 15 };
/** At the beginning of each measurement, when connections are new. */
const leadSeconds = values.quick ? 0.25 : 1;
/** A connection refreshes them in turn: a server has more people than connections. */
const FAMILIES_PER_CONNECTION = 4;
const PROFILE_LINES = 5;
const LOADS = ['client_credentials', 'refresh_token'];

const load = fork(join(import.meta.dirname, 'load.mjs'));
const contenders = [];

async function compare() {
  const ours = await ready(Ours.start());
  const theirs = await ready(Theirs.start());
  const ratios = new Map(LOADS.map((kind) => [kind, []]));
  console.log(
    `\n${row('round', 'grant', 'server', 'tokens/s', 'p50 ms', 'p99 ms', 'server µs', 'db µs', 'load avg', 'ratio')}`,
  );
  for (let round = 1; round <= rounds; round += 1) {
    for (const kind of LOADS) {
      const rates = new Map();
      for (const contender of round % 2 === 1 ? [ours, theirs] : [theirs, ours]) {
        const { perSecond, p50, p99, serverMicros, databaseMicros } = await measure(contender, kind);
        rates.set(contender, perSecond);
        const ratio = rates.size === 2 ? rates.get(ours) / rates.get(theirs) : undefined;
        if (ratio) ratios.get(kind).push(ratio);
        const cells = [
          Math.round(perSecond),
          p50.toFixed(1),
          p99.toFixed(1),
          Math.round(serverMicros),
          Math.round(databaseMicros),
        ];
        console.log(row(round, kind, contender.name, ...cells, loadAverage(), ratio?.toFixed(2) ?? ''));
      }
    }
  }
  await tellStored(ours);
  console.log('\nratio, ours to theirs');
  for (const [kind, of] of ratios) {
    const [least, median, most] = [0, of.length >> 1, -1].map((at) =>
      of
        .toSorted((a, b) => a - b)
        .at(at)
        .toFixed(2),
    );
    console.log(`  ${kind.padEnd(20)} median ${median}   (${least} to ${most}, ${of.length} rounds)`);
  }
}

async function profile() {
  for (const kind of LOADS) {
    const ours = await ready(Ours.start({ profiled: true }));
    const { perSecond, window } = await measure(ours, kind);
    await ours.stop();
    console.log(`\n${kind}: ${Math.round(perSecond)} tokens/s while profiled. Self time of the main thread:`);
    for (const { share, name, where } of topSelfTimes(readProfile(ours.server.home), window, PROFILE_LINES)) {
      console.log(`  ${share.toFixed(1).padStart(5)} %  ${name.padEnd(32)} ${where}`);
    }
    await ours.end();
  }
}

/** A contender with families to refresh, and warm. */
async function ready(starting) {
  const contender = await starting;
  contenders.push(contender);
  if (contender instanceof Ours) await tellConditions(contender);
  contender.refreshTokens = await contender.families(connections * FAMILIES_PER_CONNECTION);
  contender.acknowledged = 0;
  contender.before = await contender.stored?.();
  for (const kind of LOADS) await warm(contender, kind);
  return contender;
}

async function warm(contender, kind) {
  const ends = performance.now() + warmUp.seconds * 1000;
  for (let tokens = 0; tokens < warmUp.tokens && performance.now() < ends;) {
    tokens += (await run(contender, kind, { leadSeconds: 1, seconds: 0 })).acknowledged;
  }
}

const measure = (contender, kind) => run(contender, kind, { leadSeconds, seconds });

async function run(contender, kind, duration) {
  const { tokenUrl: url, authorization, refreshTokens } = contender;
  const work = kind === 'refresh_token' ? { refreshTokens } : { form: clientCredentialsForm };
  const before = processorMillis([...contender.processes.server, ...contender.processes.database]);
  load.send({ url, authorization, connections, ...duration, ...work });
  const [result] = await once(load, 'message');
  const { errors, firstError, acknowledged, accessTokens } = result;
  if (errors > 0)
    throw new Error(`${contender.name} gave ${errors} wrong answers to ${kind}; the first: ${firstError}`);
  await verify(contender, accessTokens);
  if (kind === 'refresh_token') contender.refreshTokens = result.refreshTokens;
  contender.acknowledged += acknowledged;
  const { server, database } = contender.processes;
  const microsPerToken = (pids) => (1000 * processorMillisSince(before, pids)) / acknowledged;
  return {
    ...result,
    serverMicros: microsPerToken(server),
    databaseMicros: microsPerToken(database),
  };
}

/** Both must have done the work: the last token of each connection is an ES256 JWT for the resource. RFC 9068 */
async function verify({ issuer, audience, jwksUrl }, accessTokens) {
  const keys = createRemoteJWKSet(new URL(jwksUrl));
  const expected = { issuer, audience, algorithms: ['ES256'], typ: 'at+jwt' };
  for (const token of accessTokens) await jwtVerify(token, keys, expected);
}

async function tellConditions(ours) {
  const cpu = `${cpus().length} × ${cpus()[0].model}`;
  console.log(`Node ${process.versions.node}, ${cpu}, load average ${loadAverage()}, ${connections} connections`);
  const settings = await ours.durability();
  console.log(
    `database: ${Object.entries(settings)
      .map((pair) => pair.join('='))
      .join(' ')}`,
  );
  if (settings.fsync !== 'on' || settings.synchronous_commit !== 'on' || settings.full_page_writes !== 'on')
    throw new Error('The database does not make every commit durable: these figures would mean nothing.');
}

async function tellStored(ours) {
  const { issuances, fsyncs } = await ours.stored();
  const stored = issuances - ours.before.issuances;
  console.log(
    `\nours acknowledged ${ours.acknowledged} tokens, warm-up included; the database keeps ${stored} more than before,`,
  );
  console.log(`and made its log durable ${fsyncs - ours.before.fsyncs} times.`);
  if (stored !== ours.acknowledged) throw new Error('What was acknowledged is not what is stored.');
}

const loadAverage = () => loadavg()[0].toFixed(1);

function row(round, grant, server, ...cells) {
  return `${String(round).padEnd(7)}${grant.padEnd(20)}${server.padEnd(15)}${cells.map((cell) => String(cell).padStart(10)).join('')}`;
}

async function cleanUp() {
  if (load.connected) load.disconnect();
  for (const contender of contenders) await contender.end();
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}
try {
  await (values.profile ? profile() : compare());
} finally {
  await cleanUp();
}
