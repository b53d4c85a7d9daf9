/**
 * The two promises about size, measured on the built server with its embedded database:
 *
 *   node test/bench/first-light.mjs      (after `npm start` or `npm run build`; about a minute)
 *
 * Ready within 3 s of being started, once the first run is over; under 200 MB resident after 10,000 tokens. Exit code 1 when one is
 * missed. Tokens per second are for information: the load comes from this process, on the same processors.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_LIMIT_SECONDS = 3;
const RESIDENT_LIMIT_MB = 200;
const STARTS = 5;
const MARKS = [1_000, 2_000, 5_000, 10_000];
const WORKERS = 10;
/** Of how many tokens of a worker one comes from a code; the others come from refreshes. */
const PER_FLOW = 20;

const main = join(import.meta.dirname, '../../dist/src/main.js');
const home = mkdtempSync(join(tmpdir(), 'authplane-bench-'));
chmodSync(home, 0o711); // started as root, the database runs as another user, who must get through
const [publicPort, adminPort] = [await freePort(), await freePort()];
const issuer = `http://localhost:${publicPort}`;
const redirectUri = 'https://client.example/callback';
let running;

async function measure() {
  console.log(`Node ${process.versions.node}, ${cpus().length} processors, load ${loadavg()[0].toFixed(1)}\n`);
  const first = await start();
  await stop();
  const starts = [];
  for (let i = 0; i < STARTS; i += 1) {
    starts.push(await start());
    if (i < STARTS - 1) await stop();
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

/** Starts the server. @returns seconds until /ready first answers 200 */
async function start() {
  const began = performance.now();
  const log = openSync(join(home, 'server.log'), 'a');
  const env = {
    ...process.env,
    AUTHPLANE_DATA_DIR: join(home, 'data'),
    AUTHPLANE_SERVER_ISSUER: issuer,
    AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${publicPort}`,
    AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
    // All load comes from one client at one address; it is counted all the same.
    AUTHPLANE_RATE_LIMIT_RPS: '1000000',
    AUTHPLANE_RATE_LIMIT_BURST: '1000000',
  };
  running = spawn(process.execPath, [main, 'serve'], { env, stdio: ['ignore', log, log] });
  const { pid } = running;
  for (;;) {
    const ready = await fetch(`${issuer}/ready`).catch(() => undefined);
    await ready?.text();
    if (ready?.status === 200) return (performance.now() - began) / 1000;
    if (running.exitCode !== null)
      throw new Error(`the server ended:\n${readFileSync(join(home, 'server.log'), 'utf8').slice(-2000)}`);
    if (performance.now() - began > 60_000) throw new Error(`the server (process ${pid}) is not ready after a minute`);
    await sleep(5);
  }
}

async function stop() {
  const child = running;
  running = undefined;
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function cleanUp() {
  await stop();
  endDatabase();
  rmSync(home, { recursive: true, force: true });
}

/** The database outlives a server that crashed. */
function endDatabase() {
  const file = join(home, 'data/postgres/postmaster.pid');
  if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8').split('\n', 1)[0]), 'SIGQUIT');
}

/** What an operator makes first. */
async function prepare() {
  const resource = 'https://notes.example/mcp';
  const scopes = [{ name: 'notes:read', description: 'Read your notes' }];
  await admin('resources', { slug: 'notes', uri: resource, backend_kind: 'mint', display_name: 'Notes', scopes });
  const person = { email: 'ada@people.example', password: 'correct horse battery' };
  await admin('users', { ...person, name: 'Ada' });
  const { client_id: clientId } = await admin('clients', {
    client_name: 'Bench',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  });
  return { resource, person, clientId };
}

async function admin(path, body) {
  const key = readFileSync(join(home, 'data/admin-api-key'), 'utf8').trim();
  const response = await fetch(`http://127.0.0.1:${adminPort}/admin/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.status !== 201) throw new Error(`POST /admin/${path}: ${response.status} ${await response.text()}`);
  return response.json();
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
      const browser = new Browser();
      while (issued < last) {
        let token = await redeem(setting, await browser.code(setting));
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
  const response = await fetch(`${issuer}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) });
  const answer = await response.json();
  if (response.status !== 200) throw new Error(`POST /oauth/token: ${response.status} ${JSON.stringify(answer)}`);
  return answer.refresh_token;
}

/** Signs in, allows, and from then on only follows redirects: the consent is there. */
class Browser {
  #cookies = new Map();

  async code({ resource, person, clientId }) {
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: redirectUri,
      resource,
      scope: 'notes:read',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    let page = await this.#visit(`${issuer}/oauth/authorize?${query}`);
    if (page.html.includes('name="password"')) {
      page = await this.#visit(`${issuer}/login`, { ...fieldsOf(page.html, 'password'), ...person });
    }
    if (page.html.includes('name="decision"')) {
      page = await this.#visit(`${issuer}/consent`, { ...fieldsOf(page.html, 'decision'), decision: 'allow' });
    }
    const code = new URL(page.location ?? issuer).searchParams.get('code');
    if (code === null) throw new Error(`no code: ${page.status} ${page.location} ${page.html.slice(-500)}`);
    return { code, verifier };
  }

  /** Follows redirects as long as they stay here. */
  async #visit(url, form) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { accept: 'text/html', cookie, ...(form && { origin: issuer, 'sec-fetch-site': 'same-origin' }) };
    const body = form && new URLSearchParams(form);
    const response = await fetch(url, { method: form ? 'POST' : 'GET', headers, body, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value) this.#cookies.set(name, value);
    }
    const html = await response.text();
    const to = response.headers.get('location');
    const location = to === null ? undefined : new URL(to, url).href;
    return location?.startsWith(`${issuer}/`) ? this.#visit(location) : { status: response.status, location, html };
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

/** Of the server's process, in MB as the kernel counts them (1 MB = 1,048,576 bytes). */
function megabytes(line) {
  const [, kilobytes] =
    new RegExp(`^${line}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${running.pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

function memory() {
  return [megabytes('VmRSS'), megabytes('RssAnon'), megabytes('RssFile')];
}

function row(name, ...cells) {
  return String(name).padEnd(32) + cells.map((cell) => String(cell).padStart(16)).join('');
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
}
try {
  await measure();
} finally {
  await cleanUp();
}
