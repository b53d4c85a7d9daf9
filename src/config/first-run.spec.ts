import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureLocalSecrets, readLocalAdminKey } from './first-run.js';
import { loadConfig } from './load-config.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'first-run-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const load = (env: Record<string, string> = {}) => loadConfig({ env, cwd });
const modeOf = (path: string) => statSync(join(cwd, path)).mode & 0o777;

describe('ensureLocalSecrets', () => {
  it('generates both secrets once, for their owner alone, and reads them later', () => {
    const first = ensureLocalSecrets(load());
    expect(first.created).toBe(true);
    expect(first.config.session.secret).toMatch(/^[\w-]{43}$/);
    expect(first.config.admin.apiKey).toMatch(/^[\w-]{43}$/);
    expect(first.config.admin.apiKey).not.toBe(first.config.session.secret);
    expect(readdirSync(join(cwd, 'data')).toSorted()).toEqual(['admin-api-key', 'session-secret']);
    expect([modeOf('data/admin-api-key'), modeOf('data/session-secret')]).toEqual([0o600, 0o600]);
    expect(modeOf('data') & 0o066).toBe(0);

    const second = ensureLocalSecrets(load());
    expect(second.created).toBe(false);
    expect(second.config.session.secret).toBe(first.config.session.secret);
    expect(second.config.admin.apiKey).toBe(first.config.admin.apiKey);
    expect(readLocalAdminKey(join(cwd, 'data'))).toBe(first.config.admin.apiKey);
  });

  it('returns a configuration that is frozen, keeps everything else, and prints no secret', () => {
    const { config } = ensureLocalSecrets(load({ AUTHPLANE_CLIENT_SECRET_PEPPER: 'pepper-pepper' }));
    expect(config.isLocal).toBe(true);
    expect(config.clientSecretPepper).toBe('pepper-pepper');
    expect(config.session.maxAgeSeconds).toBe(86_400);
    expect([config, config.session, config.admin].map((part) => Object.isFrozen(part))).toEqual([true, true, true]);
    expect(JSON.stringify(config)).not.toContain(config.admin.apiKey);
    expect(JSON.stringify(config)).not.toContain(config.session.secret);
  });

  it('leaves alone what was set', () => {
    const env = { AUTHPLANE_SESSION_SECRET: 'my-own-secret', AUTHPLANE_ADMIN_API_KEY: 'my-own-key' };
    const { config, created } = ensureLocalSecrets(load(env));
    expect(created).toBe(false);
    expect([config.session.secret, config.admin.apiKey]).toEqual(['my-own-secret', 'my-own-key']);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('generates nothing off localhost', () => {
    const config = load({
      AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com',
      AUTHPLANE_SESSION_SECRET: 'u5Xy8rT1qW4eP7oL0kJ3hG6fD9sA2zXc',
      AUTHPLANE_ADMIN_ENABLED: 'false',
    });
    expect(ensureLocalSecrets(config)).toEqual({ config, created: false });
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('refuses a file that was cut short, naming it and not its content', () => {
    ensureLocalSecrets(load());
    const path = join(cwd, 'data/session-secret');
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 10));
    expect(() => ensureLocalSecrets(load())).toThrow(`${path} does not hold a secret of 32 characters`);
  });

  it('takes back rights that others were given on the file', () => {
    ensureLocalSecrets(load());
    rmSync(join(cwd, 'data/session-secret'));
    writeFileSync(join(cwd, 'data/session-secret'), 'x'.repeat(40), { mode: 0o644 });
    expect(ensureLocalSecrets(load()).config.session.secret).toBe('x'.repeat(40));
    expect(modeOf('data/session-secret')).toBe(0o600);
  });
});
