import { once } from 'node:events';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';

export async function newKey(alg = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = randomUUID();
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An identity provider on a loopback address. `jwks` is how it answers for its keys; what it signs is the cases' affair. */
export async function evilIdp(address = '127.0.0.1') {
  const key = await newKey();
  const server = createServer((req, res) => {
    const json = (text) => res.setHeader('content-type', 'application/json').end(text);
    if (req.url === '/.well-known/openid-configuration')
      return json(JSON.stringify({ issuer: idp.issuer, jwks_uri: idp.jwksUri }));
    if (req.url === '/jwks') return idp.jwks(res, json);
    // Whoever follows a redirect finds the right keys, and is found out.
    if (req.url === '/moved-keys') return json(idp.keyText());
    return res.writeHead(404).end();
  });
  server.listen(0, address);
  await once(server, 'listening');
  const issuer = `http://${address}:${server.address().port}`;
  const idp = {
    issuer,
    key,
    keys: [key],
    jwksUri: `${issuer}/jwks`,
    jwks: (res, json) => json(idp.keyText()),
    keyText: () => JSON.stringify({ keys: idp.keys.map(({ publicJwk }) => publicJwk) }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return idp;
}
