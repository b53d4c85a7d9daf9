import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OAuthError } from '#libs/oauth';
import { SettableClock } from '../../test/app.js';
import { documentHost, documentsFromHere, type DocumentHost } from '../../test/document-host.js';
import { loadConfig } from '../config/load-config.js';
import { ProcessLimits } from '../platform/ephemeral/process-limits.js';
import { openRequestContext } from '../platform/http/request-context.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import { MetadataDocuments } from './metadata-documents.js';

let host: DocumentHost;
beforeAll(async () => {
  host = await documentHost();
});
afterAll(() => host.close());
beforeEach(() => {
  host.hits.length = 0;
});

function documentsWith(settings: Record<string, string> = {}) {
  const env = Object.entries({ ...documentsFromHere, ...settings }).map(([name, value]) => [
    `AUTHPLANE_${name}`,
    value,
  ]);
  const config = loadConfig({
    env: {
      AUTHPLANE_SESSION_SECRET: 'x'.repeat(32),
      AUTHPLANE_ADMIN_API_KEY: 'k'.repeat(32),
      ...Object.fromEntries(env),
    },
  });
  const clock = new SettableClock();
  return { documents: new MetadataDocuments(new GuardedFetch(), new ProcessLimits(), clock, config), clock };
}

/** Asks as a request from `ip`. */
const from = (ip: string, ask: () => Promise<unknown>): Promise<string> =>
  new Promise((resolve, reject) => {
    const [req, res] = [{ ip, headers: {} }, { setHeader: () => {} }];
    openRequestContext(req as never, res as never, () => void becomeOf(ask()).then(resolve, reject));
  });

/** A promise, and what makes it come true. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

const becomeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'known',
    (error: unknown) =>
      error instanceof OAuthError ? `${error.code}: ${String(error.facts['problem'])}` : String(error),
  );

describe('metadata documents', () => {
  it('are fetched once for all who want one at the same time, even when it must not be stored', async () => {
    const { documents } = documentsWith();
    const { opened, open } = gate();
    const id = host.put('/shared', { headers: { 'cache-control': 'no-store' }, after: opened });
    const asked = Array.from({ length: 50 }, () => becomeOf(documents.current(id)));
    open();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['known']));
    expect(host.hits).toEqual(['/shared']);
    expect(await becomeOf(documents.current(id))).toBe('known');
    expect(host.hits).toHaveLength(2);
  });

  it('[M9] of one slow host take four connections and no more, and what was shed may be asked for at once', async () => {
    const { documents } = documentsWith();
    const { opened, open } = gate();
    const ids = Array.from({ length: 6 }, (_, n) => host.put(`/slow-${n}`, { after: opened }));
    const asked = ids.map((id) => becomeOf(documents.current(id)));
    const shed = 'temporarily_unavailable: not fetched: capacity';
    expect(await Promise.all(asked.slice(4))).toEqual([shed, shed]);
    open();
    expect(await Promise.all(asked.slice(0, 4))).toEqual(['known', 'known', 'known', 'known']);
    expect(host.hits).toHaveLength(4);
    expect(await becomeOf(documents.current(ids[5]!))).toBe('known');
  });

  it('are left alone for 30 seconds after a failure, by the full URL', async () => {
    const { documents, clock } = documentsWith();
    const id = host.put('/broken', { status: 500 });
    const other = host.put('/broken?v=2', {});
    for (let n = 0; n < 3; n++)
      expect(await becomeOf(documents.current(id))).toBe('temporarily_unavailable: not fetched: connect');
    expect(await becomeOf(documents.current(other))).toBe('known');
    expect(host.hits).toEqual(['/broken', '/broken?v=2']);
    clock.advance(30);
    host.put('/broken');
    expect(await becomeOf(documents.current(id))).toBe('known');
  });

  it('[M12] serve from the last good copy where that will do, and where it will not are fetched or refused', async () => {
    const { documents, clock } = documentsWith();
    const id = host.put('/away');
    await documents.recent(id);
    host.put('/away', { away: true });
    clock.advance(3601);
    expect(await becomeOf(documents.current(id))).toBe('temporarily_unavailable: not fetched: connect');
    expect(await becomeOf(documents.recent(id))).toBe('known');
    clock.advance(24 * 3600);
    expect(await becomeOf(documents.recent(id))).toBe('temporarily_unavailable: not fetched: connect');
  });

  it('[M11] are fetched thirty times a minute for one address, and still given to it when nothing must be fetched', async () => {
    const { documents } = documentsWith();
    const [ip, neighbour, other] = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::1', '2001:db8:1:3::1'];
    const ids = Array.from({ length: 31 }, (_, n) => host.put(`/many-${n}`));
    const last = ids[30]!;
    for (const id of ids.slice(0, 30)) expect(await from(ip, () => documents.current(id))).toBe('known');
    expect(await from(ip, () => documents.current(last))).toMatch(/^slow_down/);
    expect(await from(neighbour, () => documents.current(last))).toMatch(/^slow_down/);
    expect(await from(ip, () => documents.current(ids[0]!))).toBe('known');
    expect(host.hits).toHaveLength(30);
    expect(await from(ip, () => documents.recent(host.put('/an-operators')))).toBe('known');
    expect(await from(other, () => documents.current(last))).toBe('known');
    expect(await from(ip, () => documents.current(last))).toBe('known');
  });

  it('[M11] are not refused to an address because another one, that has asked too often, wants them as well', async () => {
    const { documents } = documentsWith();
    for (let n = 0; n < 30; n++) await from('192.0.2.1', () => documents.current(host.put(`/before-${n}`)));
    const id = host.put('/wanted', { headers: { 'cache-control': 'no-store' } });
    const asked = ['192.0.2.1', '192.0.2.2', '192.0.2.1'].map((ip) => from(ip, () => documents.current(id)));
    expect((await Promise.all(asked))[1]).toBe('known');
  });

  it('[A23] come from allowed hosts only, when there are any, and never from denied ones', () => {
    const { documents } = documentsWith({ CIMD_ALLOWED_HOSTS: 'good.example', CIMD_DENIED_HOSTS: 'bad.good.example' });
    const acceptable = (id: string) => {
      try {
        documents.requireAcceptable(id);
        return true;
      } catch (error) {
        if (error instanceof OAuthError && error.reason === 'metadata_document_wrong') return false;
        throw error;
      }
    };
    const hosts = ['good.example', 'app.good.example', 'other.example', 'bad.good.example', 'x.bad.good.example'];
    expect(hosts.map((name) => acceptable(`https://${name}/client`))).toEqual([true, true, false, false, false]);
  });
});
