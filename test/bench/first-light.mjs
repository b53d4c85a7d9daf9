/**
 * The two promises about size, measured on the built server with its embedded database:
 *
 *   node test/bench/first-light.mjs      (after `npm start` or `npm run build`; about a minute)
 *
 * Ready within 3 s of being started, once the first run is over; under 200 MB resident after 10,000 tokens. Exit code 1 when one is
 * missed. Tokens per second are for information: the load comes from this process, on the same processors.
 */
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { BuiltServer } from './built-server.mjs';
import { Person, redirectUri } from './person.mjs';

const READY_LIMIT_SECONDS = 3;
const RESIDENT_LIMIT_MB = 200;
const STARTS = 5;
const MARKS = [1_000, 2_000, 5_000, 10_000];
const WORKERS = 10;
/** Of how many tokens of a worker one comes from a code; the others come from refreshes. */
const PER_FLOW = 20;

const server = await BuiltServer.prepare();
const account = { email: 'ada@people.example', password: 'correct horse battery' };

async function measure() {
  console.log(`Node ${process.versions.node}, ${cpus().length} processors, load ${loadavg()[0].toFixed(1)}\n`);
  const first = await server.start();
  await server.stop();
  const starts = [];
  for (let i = 0; i < STARTS; i += 1) {
    starts.push(await server.start());
    if (i < STARTS - 1) await server.stop();
  }
  const sorted = starts.toSorted((a, b) => a - b);
  console.log(row('start to ready', 'seconds'));
  console.log(row('first run (makes the database)', first.toFixed(2)));
  console.log(row(`later runs, ${STARTS}: least`, sorted[0].toFixed(2)));
  console.log(row(`later runs, ${STARTS}: median`, sorted[STARTS >> 1].toFixed(2)));

  console.log(`\n${row('tokens issued', 'resident MB', 'heap and native', 'code', 'tokens/s')}`);
  console.log(row(0, ...memory()));
  const resident = await load(await prepare());
  const missed = [
    sorted[STARTS >> 1] > READY_LIMIT_SECONDS && `ready after ${READY_LIMIT_SECONDS} s`,
    resident > RESIDENT_LIMIT_MB && `more than ${RESIDENT_LIMIT_MB} MB`,
  ].filter(Boolean);
  console.log(
    `\npeak: ${megabytes('VmHWM')} MB. ${missed.length === 0 ? 'Both limits hold.' : `MISSED: ${missed.join('; ')}`}`,
  );
  if (missed.length > 0) process.exitCode = 1;
}

/** What an operator makes first. */
async function prepare() {
  const resource = 'https://notes.example/mcp';
  const scopes = [{ name: 'notes:read', description: 'Read your notes' }];
  await server.admin('resources', {
    slug: 'notes',
    uri: resource,
    backend_kind: 'mint',
    display_name: 'Notes',
    scopes,
  });
  await server.admin('users', { ...account, name: 'Ada' });
  const { client_id: clientId } = await server.admin('clients', {
    client_name: 'Bench',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  });
  return { clientId, resource, scope: 'notes:read' };
}

/** Issues tokens until the last mark, and prints a row at each. @returns MB resident at the end */
async function load(setting) {
  let issued = 0;
  let since = { issued: 0, at: performance.now() };
  const marks = [...MARKS];
  const count = () => {
    issued += 1;
    if (!(issued >= marks[0])) return;
    const now = performance.now();
    const rate = Math.round(((issued - since.issued) / (now - since.at)) * 1000);
    console.log(row(marks.shift(), ...memory(), rate));
    since = { issued, at: now };
  };
  const last = MARKS.at(-1);
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      const person = new Person(server.issuer, account);
      while (issued < last) {
        let token = await redeem(setting, await person.code(setting));
        count();
        for (let i = 1; i < PER_FLOW && issued < last; i += 1) {
          token = await tokens({ grant_type: 'refresh_token', refresh_token: token, client_id: setting.clientId });
          count();
        }
      }
    }),
  );
  return megabytes('VmRSS');
}

function redeem({ clientId }, { code, verifier }) {
  return tokens({
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    client_id: clientId,
    redirect_uri: redirectUri,
  });
}

/** @returns the refresh token */
async function tokens(form) {
  const response = await fetch(`${server.issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) });
  const answer = await response.json();
  if (response.status !== 200) throw new Error(`POST /oauth/token: ${response.status} ${JSON.stringify(answer)}`);
  return answer.refresh_token;
}

/** Of the server's process, in MB as the kernel counts them (1 MB = 1,048,576 bytes). */
function megabytes(line) {
  const [, kilobytes] =
    new RegExp(`^${line}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${server.pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

function memory() {
  return [megabytes('VmRSS'), megabytes('RssAnon'), megabytes('RssFile')];
}

function row(name, ...cells) {
  return String(name).padEnd(32) + cells.map((cell) => String(cell).padStart(16)).join('');
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void server.cleanUp().finally(() => process.exit(130)));
}
try {
  await measure();
} finally {
  await server.cleanUp();
}
