/**
 * The peer: `oidc-provider` with its in-memory adapter, in a process of its own, set up so that it does comparable work. Both sign
 * ES256 access tokens of the RFC 9068 profile for one resource, know the client by `client_secret_basic`, and rotate every refresh
 * token. What differs is in its favour: it stores nothing on disk, keeps no record of a JWT it issued, and writes no audit row and no log.
 *
 * Its refresh families are made through its own models rather than by a browser: the tokens are the same, and not what is measured.
 */
import { exportJWK, generateKeyPair } from 'jose';
import { freePort } from './built-server.mjs';

const [resource, scope] = process.argv.slice(2);
process.env.NODE_ENV = 'production';
const { Provider } = await import('oidc-provider');

const issuer = `http://localhost:${await freePort()}`;
const client = { clientId: 'bench', clientSecret: 'a-secret-of-the-peer-0123456789abcdefghijklm' };
const day = 24 * 60 * 60;
const provider = new Provider(issuer, {
  jwks: { keys: [{ ...(await newKey()), alg: 'ES256', use: 'sig', kid: 'peer' }] },
  clients: [
    {
      client_id: client.clientId,
      client_secret: client.clientSecret,
      grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
      redirect_uris: ['https://client.example/callback'],
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
    },
  ],
  cookies: { keys: ['not-used-here'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope,
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 900,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: 900, ClientCredentials: 900, RefreshToken: 7 * day, Grant: 90 * day },
});

process.on('message', async ({ families }) => {
  process.send({ refreshTokens: await Promise.all(Array.from({ length: families }, newFamily)) });
});
process.on('disconnect', () => process.exit());
provider.listen(new URL(issuer).port, '127.0.0.1', () => process.send({ issuer, ...client }));

async function newKey() {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return exportJWK(privateKey);
}

/** @returns a live refresh token */
async function newFamily() {
  const accountId = 'ada';
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  grant.addResourceScope(resource, scope);
  const token = new provider.RefreshToken({
    client: await provider.Client.find(client.clientId),
    accountId,
    grantId: await grant.save(),
    gty: 'authorization_code',
    resource,
    scope,
  });
  return token.save();
}
