import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK, SignJWT } from 'jose';
import { newKey } from './evil-idp.mjs';

/**
 * What a resource authorization server must not fall for, as data.
 *
 * `claims`, `header`: replace those of a good assertion (`undefined` leaves one out). `sign`: makes the assertion by itself. `form`:
 * further parameters. `before`: what happens first. `spoil`: what is wrong with the issuer; such a case has one of its own.
 * `proof`: by whose key the request has a DPoP proof, of an assertion that is bound to the key `own`. `policy`: what a policy of its own
 * says. `expect`: status and code, and the private reason where the server has an audit log that tells. Whatever is refused has issued
 * nothing and spent no `jti`: a good assertion with the same one (or, after `spoil` and with `proof`, the very same) must then be taken.
 */

const invalid = (reason) => ({ status: 400, error: 'invalid_grant', reason });
const target = (reason) => ({ status: 400, error: 'invalid_target', reason });
const away = { status: 503, error: 'temporarily_unavailable' };

export const encode = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const typ = 'oauth-id-jag+jwt';

/** Signed with a key of the issuer, whatever header and payload say. */
async function signRaw(head, body, { privateKey }) {
  const text = `${encode(head)}.${encode(body)}`;
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, Buffer.from(text));
  return `${text}.${Buffer.from(signature).toString('base64url')}`;
}

const mac = (head, body, secret) => {
  const text = `${encode(head)}.${encode(body)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
};

const signWith = (key, header) => (claims) =>
  new SignJWT(claims).setProtectedHeader({ typ, ...header }).sign(key.privateKey);

export const cases = [
  // The header
  { name: 'typ is absent', header: { typ: undefined }, expect: invalid('assertion_typ') },
  { name: 'typ is JWT, as of an ID token', header: { typ: 'JWT' }, expect: invalid('assertion_typ') },
  { name: 'typ is at+jwt, as of an access token', header: { typ: 'at+jwt' }, expect: invalid('assertion_typ') },
  { name: 'typ in capitals', header: { typ: typ.toUpperCase() }, expect: invalid('assertion_typ') },
  { name: 'a kid that the issuer does not have', header: { kid: 'nobody' }, expect: invalid('assertion_key_unknown') },
  {
    name: 'alg none',
    sign: (claims, { kid }) => `${encode({ typ, alg: 'none', kid })}.${encode(claims)}.`,
    expect: invalid('assertion_alg'),
  },
  {
    name: 'alg none with a signature',
    sign: (claims, key) => signRaw({ typ, alg: 'none', kid: key.kid }, claims, key),
    expect: invalid('assertion_alg'),
  },
  {
    name: 'HMAC under the public key in PEM',
    sign: async (claims, { kid, publicJwk }) =>
      mac({ typ, alg: 'HS256', kid }, claims, await exportSPKI(await importJWK(publicJwk, 'ES256'))),
    expect: invalid('assertion_alg'),
  },
  {
    name: 'HMAC under the public key as JWK',
    sign: (claims, { kid, publicJwk }) => mac({ typ, alg: 'HS256', kid }, claims, JSON.stringify(publicJwk)),
    expect: invalid('assertion_alg'),
  },
  {
    name: 'the key of another algorithm',
    sign: (claims, key) => signRaw({ typ, alg: 'RS256', kid: key.kid }, claims, key),
    expect: invalid('assertion_alg'),
  },
  {
    name: 'a key of a stranger under the kid of the issuer',
    sign: async (claims, { kid }) => signWith(await newKey(), { alg: 'ES256', kid })(claims),
    expect: invalid('assertion_signature'),
  },
  {
    name: 'a key that the header brings along',
    sign: async (claims) => {
      const key = await newKey();
      return signWith(key, { alg: 'ES256', jwk: key.publicJwk })(claims);
    },
    expect: invalid('assertion_signature'),
  },
  {
    name: 'a changed payload',
    sign: async (claims, key) => {
      const [head, , signature] = (await signRaw({ typ, alg: 'ES256', kid: key.kid }, claims, key)).split('.');
      return `${head}.${encode({ ...claims, scope: 'everything' })}.${signature}`;
    },
    expect: invalid('assertion_signature'),
  },
  {
    name: 'a member twice in the header',
    sign: (claims, key) => signRaw(`{"typ":"JWT","typ":"${typ}","alg":"ES256","kid":"${key.kid}"}`, claims, key),
    expect: invalid('assertion_malformed'),
  },
  {
    name: 'a member twice in the payload',
    sign: (claims, key) =>
      signRaw({ typ, alg: 'ES256', kid: key.kid }, JSON.stringify(claims).replace('{', '{"sub":"somebody-else",'), key),
    expect: invalid('assertion_malformed'),
  },
  { name: 'no JWT at all', sign: () => 'not-a-jwt', expect: invalid('assertion_malformed') },

  // Who, for whom, when
  {
    name: 'an issuer that nobody trusts',
    claims: { iss: 'https://stranger.example' },
    expect: invalid('issuer_untrusted'),
  },
  {
    name: 'an issuer that differs by a slash',
    claims: ({ iss }) => ({ iss: `${iss}/` }),
    expect: invalid('issuer_untrusted'),
  },
  { name: 'no issuer', claims: { iss: undefined }, expect: invalid('assertion_issuer') },
  {
    name: 'the server as its own issuer',
    claims: ({ aud }) => ({ iss: aud }),
    expect: invalid('assertion_self_issued'),
  },
  {
    name: 'aud with something behind it',
    claims: ({ aud }) => ({ aud: `${aud}.evil.example` }),
    expect: invalid('assertion_audience'),
  },
  {
    name: 'aud with a slash behind it',
    claims: ({ aud }) => ({ aud: `${aud}/` }),
    expect: invalid('assertion_audience'),
  },
  { name: 'aud as a prefix', claims: ({ aud }) => ({ aud: aud.slice(0, -1) }), expect: invalid('assertion_audience') },
  {
    name: 'aud as an array of two',
    claims: ({ aud }) => ({ aud: [aud, 'https://b.example'] }),
    expect: invalid('assertion_audience'),
  },
  { name: 'aud missing', claims: { aud: undefined }, expect: invalid('assertion_audience') },
  {
    name: 'aud is the token endpoint',
    claims: ({ aud }) => ({ aud: `${aud}/oauth/token` }),
    expect: invalid('assertion_audience'),
  },
  { name: 'expired', claims: ({ iat }) => ({ iat: iat - 120, exp: iat - 60 }), expect: invalid('assertion_expired') },
  { name: 'without an end', claims: { exp: undefined }, expect: invalid('assertion_claims') },
  {
    name: 'from the future',
    claims: ({ iat }) => ({ iat: iat + 600, exp: iat + 900 }),
    expect: invalid('assertion_not_yet_valid'),
  },
  { name: 'not valid yet', claims: ({ iat }) => ({ nbf: iat + 600 }), expect: invalid('assertion_not_yet_valid') },
  {
    name: 'too old, though it has not ended',
    claims: ({ iat }) => ({ iat: iat - 7200 }),
    expect: invalid('assertion_too_old'),
  },
  { name: 'without iat', claims: { iat: undefined }, expect: invalid('assertion_claims') },
  { name: 'without jti', claims: { jti: undefined }, expect: invalid('assertion_claims') },
  { name: 'without sub', claims: { sub: undefined }, expect: invalid('assertion_claims') },
  { name: 'of another client', claims: { client_id: 'somebody-else' }, expect: invalid('assertion_client') },
  { name: 'of no client', claims: { client_id: undefined }, expect: invalid('assertion_client') },
  { name: 'presented by another client', as: 'other', expect: invalid('assertion_client') },
  { name: 'bound to a key, without a proof', proof: 'none', expect: invalid('assertion_key') },
  { name: 'bound to a key, with a proof by another', proof: 'another', expect: invalid('assertion_key') },
  {
    name: 'bound in a way that nobody checks',
    claims: { cnf: { 'x5t#S256': 'A'.repeat(43) } },
    expect: invalid('assertion_claims'),
  },

  // What for
  {
    name: 'an unknown resource in the assertion',
    claims: { resource: 'https://unknown.example/mcp' },
    expect: invalid('assertion_resource'),
  },
  {
    name: 'a known and an unknown resource in the assertion',
    claims: ({ resource }) => ({ resource: [resource, 'https://unknown.example/mcp'] }),
    expect: invalid('assertion_resource'),
  },
  {
    name: 'a resource in the assertion that differs by a slash',
    claims: ({ resource }) => ({ resource: `${resource}/` }),
    expect: invalid('assertion_resource'),
  },
  {
    name: 'a resource in the assertion that is registered no more',
    claims: { resource: 'GONE' },
    expect: invalid('assertion_resource'),
  },
  {
    name: 'a resource in the request that is registered no more',
    form: { resource: 'GONE' },
    expect: target('resource_unknown'),
  },
  {
    name: 'an unknown resource in the request',
    form: { resource: 'https://unknown.example/mcp' },
    expect: target('resource_unknown'),
  },
  {
    name: 'another resource in the request than in the assertion',
    form: { resource: 'OTHER' },
    expect: target('assertion_resource_differs'),
  },
  {
    name: 'a scope beyond the assertion',
    claims: { scope: 'notes:read' },
    form: { scope: 'notes:write' },
    expect: { status: 400, error: 'invalid_scope', reason: 'scope_nothing_left' },
  },
  {
    name: 'a scope beyond the client',
    claims: { scope: 'admin' },
    expect: { status: 400, error: 'invalid_scope', reason: 'scope_nothing_left' },
  },
  {
    name: 'a scope beyond the policy',
    policy: { scopes: ['notes:read'] },
    form: { scope: 'notes:write' },
    expect: { status: 400, error: 'invalid_scope', reason: 'scope_nothing_left' },
  },
  {
    name: 'a resource that no policy is for',
    claims: { resource: 'OTHER' },
    expect: { status: 403, error: 'access_denied', reason: 'policy_denied' },
  },

  { name: 'for a tenant of the server', claims: { aud_tenant: 'acme' }, expect: invalid('assertion_tenant') },
  { name: 'a tenant that is no text', claims: { tenant: 7 }, expect: invalid('assertion_claims') },
  {
    name: 'bounds that are no scopes',
    claims: { authorization_details: [{ type: 'note', actions: ['read'] }] },
    expect: invalid('assertion_details'),
  },

  // The issuer's host
  { name: 'an issuer that is switched off', spoil: 'disable', expect: invalid('issuer_disabled') },
  { name: 'a key set that is slow', spoil: () => undefined, expect: away },
  { name: 'a key set that is huge', spoil: (_, json) => json(`{"keys":[${' '.repeat(200_000)}]}`), expect: away },
  {
    name: 'a key set that redirects',
    spoil: (res, _, idp) => res.writeHead(302, { location: `${idp.issuer}/moved-keys` }).end(),
    expect: away,
  },
  { name: 'a key set that discovery finds under the name of a private host', spoil: 'private-name', expect: away },
  { name: 'a key set that discovery finds on another private address', spoil: 'private-address', expect: away },
  {
    name: 'a key set with a member twice',
    spoil: (_, json, idp) => json(idp.keyText().replace('{', '{"keys":[],')),
    expect: away,
  },
  {
    name: 'a key set with a private key in it',
    spoil: (_, json, idp) => json(JSON.stringify({ keys: [{ ...idp.key.publicJwk, d: 'AAAA' }] })),
    expect: away,
  },
  { name: 'a host that fails', spoil: (res) => res.writeHead(500).end(), expect: away },
];
