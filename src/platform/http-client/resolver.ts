import { type LookupAddress, promises as dns } from 'node:dns';
import { isIP } from 'node:net';

/**
 * All addresses of a name.
 *
 * @param scope `public`: the DNS alone is asked; `system`: whatever this machine knows, /etc/hosts included
 */
export type Resolver = (host: string, scope: 'public' | 'system') => Promise<readonly LookupAddress[]>;

/**
 * A client's host never goes through getaddrinfo: that runs on libuv's four threads, which password hashing needs too,
 * and a name server that does not answer would hold them.
 */
export const resolveHost: Resolver = async (host, scope) => {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  return scope === 'system' ? dns.lookup(host, { all: true }) : fromDns(host);
};

async function fromDns(host: string): Promise<LookupAddress[]> {
  const resolver = new dns.Resolver({ timeout: 2000, tries: 2 });
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  if (v4.status === 'rejected' && v6.status === 'rejected') throw v4.reason;
  return [...addresses(v4, 4), ...addresses(v6, 6)];
}

function addresses(result: PromiseSettledResult<string[]>, family: number): LookupAddress[] {
  return result.status === 'fulfilled' ? result.value.map((address) => ({ address, family })) : [];
}
