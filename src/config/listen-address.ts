import { isIPv6 } from 'node:net';

export interface ListenAddress {
  /** Undefined: every interface. */
  readonly host?: string;
  /** 0: any free port. */
  readonly port: number;
}

/** `host:port`, `:port`, `[::1]:port`; undefined when it is none of these. */
export function parseListenAddress(address: string): ListenAddress | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]*)):(\d{1,5})$/i.exec(address);
  if (!parts) return undefined;
  const [, ipv6, name, port] = parts;
  if (Number(port) > 65_535 || (ipv6 !== undefined && !isIPv6(ipv6))) return undefined;
  const host = ipv6 ?? name;
  return host ? { host, port: Number(port) } : { port: Number(port) };
}

/** The same address, bound to the issuer's own loopback address when it named no host (P6). */
export function onLoopback(address: string, issuer: URL): string {
  if (!address.startsWith(':')) return address;
  return `${issuer.hostname === '[::1]' ? '[::1]' : '127.0.0.1'}${address}`;
}
