import { parseListenAddress } from './listen-address.js';

/**
 * Where a collector takes one kind of signal (OTLP/HTTP §"Default port and paths").
 *
 * @param endpoint a URL, or host:port
 * @returns undefined when it is neither, or speaks http without `insecure`
 */
export function otlpUrl(
  endpoint: string,
  insecure: boolean,
  signal: 'traces' | 'metrics' | 'logs',
): string | undefined {
  const written = endpoint.includes('://') ? endpoint : hostAndPort(endpoint, insecure);
  if (written === undefined || !URL.canParse(written) || /[?#@\\]/.test(written)) return undefined;
  const { protocol, href } = new URL(written);
  if (protocol !== 'https:' && !(insecure && protocol === 'http:')) return undefined;
  return `${href.replace(/\/$/, '')}/v1/${signal}`;
}

function hostAndPort(address: string, insecure: boolean): string | undefined {
  return parseListenAddress(address)?.host === undefined ? undefined : `${insecure ? 'http' : 'https'}://${address}`;
}
