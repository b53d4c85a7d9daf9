import { request } from 'node:http';
import type { Config } from './config/config.js';
import { parseListenAddress } from './config/listen-address.js';

const PATIENCE_MILLIS = 3_000;

/**
 * `authserver health`: whether the server of this configuration answers, asked over the listener that its role has. For images
 * without a shell; it speaks to nobody else, so the rules for outgoing requests do not concern it.
 *
 * @param url asked instead of the own `/livez`
 * @throws Error when it does not answer 200 in time
 */
export async function tellHealth(config: () => Config, url?: string): Promise<void> {
  const asked = url ?? ownLivez(config());
  const { status, body } = await get(asked);
  if (status !== 200) throw new Error(`${asked} answers ${status}`);
  console.log(body);
}

/** A worker listens on the administration address alone. Every interface is reached by loopback. */
function ownLivez({ server, admin }: Config): string {
  if (server.role === 'worker' && !admin.enabled)
    throw new Error('a worker without the admin listener (admin.enabled) cannot be asked');
  const address = server.role === 'worker' ? admin.address : server.address;
  const { host = '', port } = parseListenAddress(address) ?? { port: 0 };
  const reached = ['', '0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}/livez`;
}

function get(url: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const away = (error: Error): void => reject(new Error(`${url} does not answer: ${error.message}`));
    const signal = AbortSignal.timeout(PATIENCE_MILLIS);
    const asking = request(url, { agent: false, signal }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part.slice(0, 4096 - body.length)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: body.trim() }));
      response.on('error', away);
    });
    asking.on('error', away).end();
  });
}
