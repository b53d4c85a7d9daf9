import { describe, expect, it } from 'vitest';
import type { ClientMetadata } from './client.js';
import { MetadataDocumentCache } from './metadata-document-cache.js';

const URL_ID = 'https://app.example/client';
const start = new Date('2026-01-01T12:00:00Z');
const at = (seconds: number): Date => new Date(start.getTime() + seconds * 1000);
const metadata: ClientMetadata = {
  name: 'Desk',
  redirectUris: ['http://127.0.0.1/callback'],
  grantTypes: ['authorization_code'],
  responseTypes: ['code'],
  tokenEndpointAuthMethod: 'none',
  applicationType: 'native',
  agent: false,
  agentDescription: '',
  dpopBoundAccessTokens: false,
};

function cacheWith(headers: Record<string, string>, maxSeconds = 3600): MetadataDocumentCache {
  const cache = new MetadataDocumentCache();
  cache.keep(URL_ID, metadata, headers, maxSeconds, start);
  return cache;
}

/** The first second at which the document is no longer fresh, to the minute. */
function freshSeconds(cache: MetadataDocumentCache): number {
  for (let seconds = 0; seconds <= 7200; seconds += 60) if (!cache.fresh(URL_ID, at(seconds))) return seconds;
  return Infinity;
}

describe('the cache of metadata documents', () => {
  it.each([
    ['as long as max-age says', { 'cache-control': 'max-age=600' }, 600],
    ['no longer than the operator says', { 'cache-control': 'max-age=86400' }, 3600],
    ['at least a minute, so that a host is not asked for every request', { 'cache-control': 'max-age=0' }, 60],
    ['a minute without headers', {}, 60],
    ['less what it has aged on the way', { 'cache-control': 'max-age=600', age: '300' }, 300],
    ['as long as s-maxage says, being shared', { 'cache-control': 'max-age=60, s-maxage=600' }, 600],
    ['until Expires', { date: start.toUTCString(), expires: at(600).toUTCString() }, 600],
    ['not at all under no-store', { 'cache-control': 'no-store' }, 0],
    ['not at all when it is private', { 'cache-control': 'private, max-age=600' }, 0],
  ])('[A19 M11] keeps a document fresh %s', (_, headers, seconds) => {
    expect(freshSeconds(cacheWith(headers))).toBe(seconds);
  });

  it('[M12] keeps the last good document for a day, unless it must not be stored', () => {
    const cache = cacheWith({ 'cache-control': 'max-age=60' });
    expect(cache.fresh(URL_ID, at(60))).toBeUndefined();
    expect(cache.lastGood(URL_ID, at(24 * 3600 - 1))).toEqual(metadata);
    expect(cache.lastGood(URL_ID, at(24 * 3600))).toBeUndefined();
    expect(cacheWith({ 'cache-control': 'no-store' }).lastGood(URL_ID, start)).toBeUndefined();
  });

  it('remembers a failure for 30 seconds, or until the document is good again', () => {
    const cache = new MetadataDocumentCache();
    cache.backOff(URL_ID, { kind: 'unavailable', problem: 'x' }, start);
    expect(cache.failure(URL_ID, at(29))?.problem).toBe('x');
    expect(cache.failure(URL_ID, at(30))).toBeUndefined();
    expect(cache.failure(`${URL_ID}?other`, start)).toBeUndefined();
    cache.keep(URL_ID, metadata, {}, 3600, at(1));
    expect(cache.failure(URL_ID, at(2))).toBeUndefined();
  });

  it('[M11] ends a good document by a wrong one, not by a host that is away', () => {
    const cache = cacheWith({});
    cache.backOff(URL_ID, { kind: 'unavailable', problem: 'x' }, at(61));
    expect(cache.lastGood(URL_ID, at(62))).toEqual(metadata);
    cache.backOff(URL_ID, { kind: 'wrong', problem: 'x' }, at(62));
    expect(cache.lastGood(URL_ID, at(63))).toBeUndefined();
  });

  it('holds a thousand documents, and forgets the one that was asked for longest ago', () => {
    const cache = cacheWith({});
    for (let n = 0; n < 1000; n++) cache.keep(`${URL_ID}/${n}`, metadata, {}, 3600, start);
    expect(cache.fresh(URL_ID, start)).toBeUndefined();
    expect(cache.fresh(`${URL_ID}/0`, start)).toEqual(metadata);
  });
});
