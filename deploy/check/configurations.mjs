/**
 * Reads each configuration that the chart wrote with the server's own reader, with the variables that its pods get, and that of
 * docker-compose.yml: what is written is what the server takes. Values of Secrets that are not the chart's are made up here.
 *
 * `node deploy/check/configurations.mjs <folder of rendered value sets>`, after the build.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../dist/src/config/load-config.js';
import { unknownVariables } from '../../dist/src/config/unknown-variables.js';

const folder = process.argv[2];
const scratch = mkdtempSync(join(tmpdir(), 'authplane-chart-'));
const problems = [];
let read = 0;

for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
  const objects = parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS());
  const secrets = new Map(
    objects.filter(({ kind }) => kind === 'Secret').map((secret) => [secret.metadata.name, valuesOf(secret)]),
  );
  for (const object of objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Job')) {
    const name = `${basename(file, '.yaml')} ${object.kind} ${object.metadata.name}`;
    const { containers, volumes = [] } = object.spec.template.spec;
    const env = environment(containers[0].env, secrets);
    const mounted = volumes.find((volume) => volume.name === 'config')?.secret.secretName;
    const path = join(scratch, 'config.yaml');
    if (mounted) writeFileSync(path, secrets.get(mounted)['config.yaml']);
    try {
      judge(name, env, mounted ? path : undefined, containers[0].args);
      problems.push(
        ...bothLogins(containers[0].env).map((secret) => `${name}: ${secret} would need a token and an AppRole`),
      );
    } catch (error) {
      problems.push(`${name}: ${error.message}`);
    }
    read += 1;
  }
}
for (const [service, { environment: set, command }] of Object.entries(
  JSON.parse(readFileSync(join(folder, 'docker-compose.json'), 'utf8')),
)) {
  // What deploy/compose/secrets.sh makes.
  const secret = {
    AUTHPLANE_STORAGE_POSTGRES_DSN: madeUp('dsn'),
    AUTHPLANE_REDIS_URL: madeUp('redis'),
    AUTHPLANE_SESSION_SECRET: madeUp('session'),
    AUTHPLANE_ADMIN_API_KEY: madeUp('admin'),
    MASTER_KEY: madeUp('aes-master'),
  };
  try {
    judge(`docker-compose.yml ${service}`, { ...secret, ...set }, undefined, command);
  } catch (error) {
    problems.push(`docker-compose.yml ${service}: ${error.message}`);
  }
  read += 1;
}
rmSync(scratch, { recursive: true });
for (const problem of problems) console.log(problem);
console.log(`chart: ${read} configurations read, ${problems.length} problems`);
process.exit(problems.length === 0 && read > 0 ? 0 : 1);

function judge(name, env, yamlPath, args) {
  const config = loadConfig({ env: { AUTHPLANE_STORAGE_DRIVER: 'postgres', ...env }, yamlPath, role: args[2] });
  problems.push(...unknownVariables(config, env).map((line) => `${name}: ${line}`));
  const expected = env.AUTHPLANE_STORAGE_POSTGRES_DSN;
  if (config.storage.postgres.dsn !== expected) problems.push(`${name}: another database than ${expected}`);
  if (yamlPath === undefined) return;
  const { address } = config.server;
  if (!/^(0\.0\.0\.0)?:\d+$/.test(address) || !/^(0\.0\.0\.0)?:\d+$/.test(config.admin.address))
    problems.push(`${name}: probes do not reach ${address} or ${config.admin.address}`);
  const key = config.dataEncryption.driver === 'aes_master' ? config.dataEncryption.masterKey : 'by Vault';
  if (config.signing.keyStore === 'postgres_key' && !key) problems.push(`${name}: no master key`);
}

/** @returns Secrets of which Vault's token and an AppRole are wanted: whoever made one for both uses of Vault put one login in */
function bothLogins(env) {
  const wanted = env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);
  const secretsWith = (key) => wanted.filter((ref) => ref.key === key).map(({ name }) => name);
  return secretsWith('vault-token').filter((name) => secretsWith('vault-approle-role-id').includes(name));
}

function valuesOf({ data = {}, stringData = {} }) {
  const decoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
  return { ...Object.fromEntries(decoded), ...stringData };
}

/** As the kubelet makes it: in order, each may name those before it. */
function environment(entries, secrets) {
  const env = {};
  for (const { name, value, valueFrom } of entries) {
    const { name: secret, key } = valueFrom?.secretKeyRef ?? {};
    if (secret) env[name] = secrets.get(secret)?.[key] ?? madeUp(key);
    else env[name] = value.replace(/\$\((\w+)\)/g, (whole, other) => env[other] ?? whole);
  }
  return env;
}

function madeUp(key) {
  if (/aes-master/.test(key)) return '00112233445566778899aabbccddeeff00112233445566778899aabbccddee03';
  if (/dsn|uri/.test(key)) return 'postgres://somebody@somewhere/else';
  if (/redis/.test(key)) return 'rediss://somewhere:6379';
  return 'made-up-Secret_0123456789-abcdefghij';
}
