import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisSettings } from '../../config/server-settings.js';
import { WatchfulSentinelConnector } from './watchful-sentinel-connector.js';

/** One Redis, the one that sentinels name, or a cluster. */
export type RedisTarget = Partial<Omit<RedisSettings, 'isSet'>>;

/** Longest pause between two attempts. */
const RETRY_MILLIS = 1_000;
const RESOLVE_MILLIS = 1_000;
/** A slot that is moved is followed; an outage is not waited for. */
const REDIRECTIONS = 5;
const REDIRECTION_MILLIS = 50;
const SLOTS_MILLIS = 5_000;

export const retryMillis = (attempt: number): number => Math.min(50 * attempt, RETRY_MILLIS);

/**
 * A connection, or those of a cluster. It looks for whoever is the primary at the time, as often as it takes.
 *
 * @param options of each connection
 */
export function openRedis(target: RedisTarget, options: RedisOptions): Redis | Cluster {
  const { url, sentinels = [], clusterNodes = [], sentinelName, sentinelPassword, username, password, tls } = target;
  const own = { ...options, username, password, ...(tls ? { tls: {} } : {}) };
  if (sentinels.length > 0)
    return new Redis({
      ...own,
      Connector: WatchfulSentinelConnector,
      sentinels: sentinels.map(hostAndPort),
      name: sentinelName ?? 'mymaster',
      sentinelPassword,
      enableTLSForSentinelMode: tls ?? false,
      ...(tls ? { sentinelTLS: {} } : {}),
      sentinelRetryStrategy: retryMillis,
      sentinelCommandTimeout: RESOLVE_MILLIS,
    });
  if (clusterNodes.length > 0) {
    const { scripts, lazyConnect, enableOfflineQueue, retryStrategy, ...each } = own;
    return new Cluster(clusterNodes.map(hostAndPort), {
      scripts,
      lazyConnect,
      enableOfflineQueue,
      clusterRetryStrategy: (attempt) => retryStrategy?.(attempt) ?? null,
      maxRedirections: REDIRECTIONS,
      retryDelayOnFailover: REDIRECTION_MILLIS,
      retryDelayOnClusterDown: REDIRECTION_MILLIS,
      retryDelayOnTryAgain: REDIRECTION_MILLIS,
      slotsRefreshTimeout: RESOLVE_MILLIS,
      slotsRefreshInterval: SLOTS_MILLIS,
      redisOptions: each,
    });
  }
  return new Redis(url ?? '', options);
}

function hostAndPort(address: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|(.*)):(\d+)$/.exec(address) ?? [];
  return { host: bracketed || plain || '127.0.0.1', port: Number(port) };
}
