import type { Result } from 'ioredis';

/** Every key begins with it. The braces put all keys of a Redis cluster into one slot, which scripts and pipelines need. */
export const keyPrefix = '{authplane}:';

/** It never expires: where it is missing, everything else may be. */
export const markerKey = `${keyPrefix}memory`;

/** What Redis does in one step, and in one round trip. */
export const scripts = {
  findOrMark: {
    numberOfKeys: 1,
    lua: `redis.call('SET', KEYS[1], ARGV[1], 'NX') return redis.call('GET', KEYS[1])`,
  },
  /** In a cluster a command without a key is given to any node. */
  serverInfo: { numberOfKeys: 1, lua: `return redis.call('INFO', 'server')` },
  /** The claim is made in either case: an unknown memory remembers as well. */
  claimOnce: {
    numberOfKeys: 2,
    lua: `return { redis.call('SET', KEYS[2], '1', 'PX', ARGV[1], 'NX') and 1 or 0, redis.call('GET', KEYS[1]) }`,
  },
};

/** The same in a cluster, where another node may have come to hold our keys unnoticed, with the marker as well: the node is part of it. */
export const clusterScripts = {
  ...scripts,
  findOrMark: {
    numberOfKeys: 1,
    lua: `redis.call('SET', KEYS[1], ARGV[1], 'NX') return redis.call('GET', KEYS[1]) .. '@' .. redis.call('CLUSTER', 'MYID')`,
  },
  claimOnce: {
    numberOfKeys: 2,
    lua: `local marker = redis.call('GET', KEYS[1])
      return {
        redis.call('SET', KEYS[2], '1', 'PX', ARGV[1], 'NX') and 1 or 0,
        marker and marker .. '@' .. redis.call('CLUSTER', 'MYID') }`,
  },
};

declare module 'ioredis' {
  interface RedisCommander<Context> {
    /** @returns the marker that stands there now */
    findOrMark(marker: string, own: string): Result<string, Context>;
    /** @returns `INFO server` of the node that holds the key */
    serverInfo(key: string): Result<string, Context>;
    /** @returns whether it was won, and the marker that stood there */
    claimOnce(marker: string, key: string, milliseconds: number): Result<[won: 0 | 1, marker: string | null], Context>;
  }
}
