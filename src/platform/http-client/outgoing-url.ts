import { isIP } from 'node:net';
import { FetchRefused } from './fetch-errors.js';

export interface UrlRules {
  /** Who chose the URL: a client (public internet only) or an operator (the own network too). */
  readonly trust: 'client' | 'operator';
  /** Development: plain http. */
  readonly allowHttp?: boolean;
  /** Development: private addresses and single-label hosts for a client's URL. */
  readonly allowPrivate?: boolean;
  /** The operator's URL in whose document this URL stood: a private address only on the same host. */
  readonly learnedFrom?: string;
}

export interface Target {
  readonly url: URL;
  /** Without brackets: what is resolved, or the address itself. */
  readonly host: string;
  readonly privateAllowed: boolean;
}

const authorityWithUserinfo = /^[^/?#]*\/\/[^/?#]*@/;
const localNames = /(^|\.)(localhost|local|internal|home\.arpa|localdomain|test|invalid|example|onion)$/;

/**
 * The one reading of a URL that is going to be fetched. What two parsers could read differently is refused, not normalised.
 *
 * @throws FetchRefused `url`, `fragment`, `userinfo`, `scheme`, `host`
 */
export function outgoingUrl(text: string, rules: UrlRules): Target {
  if (/[^\x21-\x7e]|\\/.test(text) || !URL.canParse(text)) throw new FetchRefused('url');
  if (text.includes('#')) throw new FetchRefused('fragment');
  if (authorityWithUserinfo.test(text)) throw new FetchRefused('userinfo');
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && rules.allowHttp)) throw new FetchRefused('scheme');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const privateAllowed = mayBePrivate(host, rules);
  if (!privateAllowed && isIP(host) === 0 && !isPublicName(host)) throw new FetchRefused('host');
  return { url, host, privateAllowed };
}

function mayBePrivate(host: string, { trust, allowPrivate, learnedFrom }: UrlRules): boolean {
  if (allowPrivate) return true;
  if (trust === 'client') return false;
  return learnedFrom === undefined || new URL(learnedFrom).hostname.replace(/^\[(.*)\]$/, '$1') === host;
}

function isPublicName(host: string): boolean {
  return host.includes('.') && !host.endsWith('.') && !localNames.test(host);
}
