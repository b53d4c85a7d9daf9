import { randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { errors } from 'oidc-provider';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';
const PARAMETERS = ['requested_token_type', 'subject_token', 'subject_token_type', 'audience', 'resource', 'scope'];

/**
 * Teaches an `oidc-provider` to answer a token exchange with an identity assertion, as enterprise-managed authorization asks of a
 * company's identity provider: for an ID token of the client, towards audiences that the company knows.
 *
 * @param pair the key that its ID tokens are signed with, too
 * @param audienceOf who a client is at an audience, if the company has said so
 */
export function teachIdJag(provider, { pair, kid, claimsOf, audienceOf }) {
  const handler = async (ctx) => {
    const { client, params } = ctx.oidc;
    if (params.requested_token_type !== ID_JAG || params.subject_token_type !== ID_TOKEN)
      throw new errors.InvalidRequest('only ID tokens are exchanged, for identity assertions');
    const expected = { issuer: provider.issuer, audience: client.clientId };
    const { payload } = await jwtVerify(params.subject_token, pair.publicKey, expected).catch(() => {
      throw new errors.InvalidGrant('the ID token does not count');
    });
    const clientThere = audienceOf(params.audience, client.clientId);
    if (!clientThere) throw new errors.AccessDenied('the company does not let this client go there');
    const { groups, email } = claimsOf(payload.sub);
    const { audience: aud, resource, scope } = params;
    const claims = {
      iss: provider.issuer,
      sub: payload.sub,
      aud,
      client_id: clientThere,
      resource,
      scope,
      groups,
      email,
    };
    const assertion = new SignJWT({ ...claims, jti: randomUUID() })
      .setProtectedHeader({ typ: 'oauth-id-jag+jwt', alg: 'RS256', kid })
      .setIssuedAt()
      .setExpirationTime('5m');
    const access_token = await assertion.sign(pair.privateKey);
    ctx.body = { access_token, issued_token_type: ID_JAG, token_type: 'N_A', expires_in: 300, scope };
  };
  provider.registerGrantType(EXCHANGE, handler, PARAMETERS);
}
