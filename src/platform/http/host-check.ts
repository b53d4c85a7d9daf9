import type { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import { OAuthError } from '#libs/oauth';
import { listenerOf } from './listeners.js';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface HostRules {
  /** The issuer is on localhost: then the public listener is protected as well. */
  readonly isLocal: boolean;
  /** Host names besides loopback, without port: the bound addresses and `admin.allowed_hosts`. */
  readonly allowedHosts: readonly string[];
}

/**
 * Refuses a Host that is not ours (P6): a page of the internet can point a name of its own at 127.0.0.1, and the browser would
 * then let it read our answers (DNS rebinding). The address at which the connection arrived is no name: probes and Prometheus use that of a pod.
 */
export function hostCheck({ isLocal, allowedHosts }: HostRules): RequestHandler {
  const allowed = new Set([...LOOPBACK, ...allowedHosts]);
  return (req, _res, next) => {
    if (listenerOf(req) === 'public' && !isLocal) return next();
    const host = (req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    if (allowed.has(host) || (host !== '' && host === addressOf(req.socket))) return next();
    next(new OAuthError('host-misdirected', 'host_misdirected', { facts: { host: host.slice(0, 200) } }));
  };
}

function addressOf({ localAddress = '', localFamily }: Socket): string {
  const address = localAddress.replace(/^::ffff:(?=\d+\.)/, '');
  return localFamily === 'IPv6' && address.includes(':') ? `[${address}]` : address;
}
