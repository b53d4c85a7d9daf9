import type { Config } from './config.js';

/** What an operator should know at boot although the server may run with it. One line each, no secrets. */
export function configWarnings(config: Config): string[] {
  const { admin, cimd, dcr, isLocal, oauth, redis, server, storage } = config;
  const candidates: (string | false)[] = [
    !isLocal &&
      admin.enabled &&
      server.allowedOrigins.length === 0 &&
      'server.allowed_origins is empty: no other origin may call the admin listener from a browser (AUTHPLANE_SERVER_ALLOWED_ORIGINS)',
    dcr.mode === 'open' && !isLocal && 'dcr.mode is open: anybody may register a client (AUTHPLANE_DCR_MODE)',
    cimd.allowPrivateAddresses &&
      'cimd.allow_private_addresses is true: a client id can make this server call private addresses',
    !cimd.requireHttps && 'cimd.require_https is false: client metadata documents may be changed on their way',
    oauth.refreshRetryWindowPublicSeconds > 0 &&
      'oauth.refresh_retry_window_public is above 0: a stolen refresh token of a public client may be repeated unseen',
    oauth.defaultClientScope === '' &&
      dcr.mode !== 'admin_only' &&
      !isLocal &&
      'oauth.default_client_scope is empty while registration is open: registered clients may ask for every scope of a resource',
    (storage.driver === 'postgres' || server.workers > 1) &&
      !redis.isSet &&
      'redis.url is unset: limits are counted per process (AUTHPLANE_REDIS_URL)',
    server.trustedProxies.length === 0 &&
      !isLocal &&
      'server.trusted_proxies is empty: behind a reverse proxy every request counts as coming from the proxy',
  ];
  return candidates.filter((warning) => warning !== false);
}
