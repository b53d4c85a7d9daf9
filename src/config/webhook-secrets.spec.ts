import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from './config.js';
import { ConfigMistakes, loadConfig } from './load-config.js';

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(64, 9).toString('base64')}`;

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'));
  writeFileSync(join(cwd, 'secret'), `${SECRET}\n`);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function load(webhooks: string, env: Record<string, string> = {}): Config {
  writeFileSync(join(cwd, 'authplane.yaml'), `webhooks:\n${webhooks}\n`);
  return loadConfig({ env: { S: SECRET, ...env }, cwd, yamlPath: 'authplane.yaml' });
}

function problemOf(webhooks: string, env?: Record<string, string>): string {
  try {
    load(webhooks, env);
  } catch (error) {
    if (error instanceof ConfigMistakes) return error.problems.join('\n');
    throw error;
  }
  return '';
}

const hook = (members: string): string => `  - { name: a, url: 'https://a.example/hook', ${members} }`;

describe('the secret of a webhook', () => {
  it('comes from a variable or a file, may have a successor beside it, and shows in nothing that is printed', () => {
    const [byVariable] = load(hook('secret_env: S')).webhooks;
    const [byFile] = load(hook('secret_file: secret')).webhooks;
    const [two] = load(hook('secret_env: T'), { T: `${SECRET} ${OTHER}` }).webhooks;
    expect([byVariable?.secrets, byFile?.secrets]).toEqual([[Buffer.alloc(24, 7)], [Buffer.alloc(24, 7)]]);
    expect(two?.secrets).toEqual([Buffer.alloc(24, 7), Buffer.alloc(64, 9)]);
    expect(Object.keys(two ?? {})).not.toContain('secrets');
  });

  it.each([
    ['', 'webhooks[0] needs one of secret_env, secret_file'],
    ['secret_env: S, secret_file: secret', 'webhooks[0] needs one of secret_env, secret_file'],
    ['secret_env: NOWHERE', 'webhooks[0]: the variable NOWHERE is not there, or empty; generate one with'],
    ['secret_file: nowhere', 'webhooks[0]: the file nowhere is not there, or empty'],
  ])('is wanted: %s', (members, problem) => {
    expect(problemOf(hook(members))).toContain(problem);
  });

  it.each([
    SECRET.slice(6),
    'whsec_short',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    `${SECRET} ${SECRET} ${SECRET}`,
    `${SECRET} nonsense`,
  ])('must be one that cannot be guessed, and is not shown when it is wrong: %s', (written) => {
    const problem = problemOf(hook('secret_env: T'), { T: written });
    expect(problem).toContain('webhooks[0]: the variable T must hold whsec_ and 24 to 64 bytes in base64');
    expect(problem).not.toContain(written);
  });
});

describe('a webhook', () => {
  it.each([
    ["  - { name: A, url: 'https://a.example', secret_env: S }", 'must be 1 to 63 lower-case letters'],
    ["  - { name: a, url: 'https://a.example?b', secret_env: S }", 'must be an https URL without user, query'],
    ["  - { name: a, url: 'ftp://a.example', secret_env: S }", 'must be an https URL'],
    ['  - { name: a, secret_env: S }', 'must be an https URL'],
    [hook('secret_env: S, events: [family.gone]'), 'must be of family.revoked, client.suspended'],
    [hook('secret_env: S, events: [family.revoked, family.revoked]'), 'names an event twice'],
    [`${hook('secret_env: S')}\n${hook('secret_env: S')}`, 'webhooks: the name a is there twice'],
  ])('is refused where it is wrong: %s', (webhooks, problem) => {
    expect(problemOf(webhooks)).toContain(problem);
  });

  it('is told over TLS, unless the issuer is on localhost', () => {
    const webhooks = "  - { name: a, url: 'http://a.example/hook', secret_env: S }";
    const production = {
      AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com',
      AUTHPLANE_SESSION_SECRET: 'u5Xy8rT1qW4eP7oL0kJ3hG6fD9sA2zXc',
      AUTHPLANE_ADMIN_API_KEY: 'T9vQ2mZ4xK7wB1nR',
    };
    expect(problemOf(webhooks)).toBe('');
    expect(problemOf(webhooks, production)).toBe('webhooks[0].url must be https unless the issuer is on localhost');
  });
});
