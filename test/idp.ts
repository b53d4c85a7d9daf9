import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import type { TestApp } from './app.js';
import {
  aConfidentialClient,
  aResource,
  postForm,
  type ClientFixture,
  type ResourceFixture,
  type TokenResponse,
} from './builders.js';
import { serve } from './outgoing.js';

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

export interface IdpKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

export async function anIdpKey(alg = 'ES256'): Promise<IdpKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = randomUUID();
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

export type Answer = (req: IncomingMessage, res: ServerResponse) => void;

/** A company's identity provider, as far as a resource authorization server sees it: a discovery document, keys, and what it signs. */
export interface StubIdp {
  readonly issuer: string;
  readonly key: IdpKey;
  /** The keys it publishes. */
  keys: IdpKey[];
  /** What it does instead of answering as it should, by path. */
  instead: Partial<Record<'/jwks' | '/.well-known/openid-configuration', Answer>>;
  readonly hits: string[];
  close(): Promise<void>;
}

export async function aStubIdp(address = '127.0.0.1'): Promise<StubIdp> {
  const key = await anIdpKey();
  const json = (res: ServerResponse, body: object): void =>
    void res.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  const server = await serve(
    (req, res) => {
      const instead = idp.instead[req.url as '/jwks'];
      if (instead) return instead(req, res);
      if (req.url === '/jwks') return json(res, { keys: idp.keys.map(({ publicJwk }) => publicJwk) });
      if (req.url === '/.well-known/openid-configuration')
        return json(res, { issuer: idp.issuer, jwks_uri: `${idp.issuer}/jwks` });
      res.writeHead(404).end();
    },
    { address },
  );
  const idp: StubIdp = {
    issuer: `http://${address}:${server.port}`,
    key,
    keys: [key],
    instead: {},
    hits: server.hits,
    close: server.close,
  };
  return idp;
}

/** Everything that an exchange of an assertion needs, made by the operator. */
export interface XaaFlow {
  readonly app: TestApp;
  readonly idp: StubIdp;
  readonly idpId: string;
  readonly policyId: string;
  readonly client: ClientFixture;
  readonly resource: ResourceFixture;
}

export async function created(app: TestApp, path: string, body: object): Promise<any> {
  const answer = await app.admin('POST', path, body);
  if (answer.status !== 201) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** A confidential client for the grant, with a ceiling. */
export const anXaaClient = (app: TestApp, draft: Record<string, unknown> = {}): Promise<ClientFixture> =>
  aConfidentialClient(app, { grant_types: [JWT_BEARER], redirect_uris: [], scope: 'notes:read notes:write', ...draft });

export async function anXaaFlow(
  app: TestApp,
  idp: StubIdp,
  drafts: { idp?: object; policy?: object; client?: Record<string, unknown> } = {},
): Promise<XaaFlow> {
  const [client, resource] = await Promise.all([anXaaClient(app, drafts.client), aResource(app)]);
  const { id: idpId } = await created(app, '/admin/idps', { name: 'Company', issuer: idp.issuer, ...drafts.idp });
  const { id: policyId } = await created(app, '/admin/xaa/policies', {
    name: 'Notes for everybody',
    idp_id: idpId,
    client_ids: [client.id],
    resources: [resource.uri],
    ...drafts.policy,
  });
  return { app, idp, idpId, policyId, client, resource };
}

/** Claims as a good assertion has them; `undefined` leaves one out. */
export function claimsOf({ app, idp, client, resource }: XaaFlow): Record<string, unknown> {
  const iat = Math.floor(app.clock.now().getTime() / 1000);
  return {
    iss: idp.issuer,
    sub: 'ada',
    aud: app.issuer,
    client_id: client.id,
    jti: randomUUID(),
    iat,
    exp: iat + 300,
    resource: resource.uri,
    scope: 'notes:read notes:write',
  };
}

export function assertionOf(
  flow: XaaFlow,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  key = flow.idp.key,
): Promise<string> {
  return new SignJWT({ ...claimsOf(flow), ...claims })
    .setProtectedHeader({ typ: 'oauth-id-jag+jwt', alg: key.alg, kid: key.kid, ...header })
    .sign(key.privateKey);
}

/** Gives an assertion for a token. */
export const present = (
  { app, client }: Pick<XaaFlow, 'app' | 'client'>,
  assertion: string,
  more: Record<string, string> = {},
): Promise<TokenResponse> => postForm(app, '/oauth/token', { grant_type: JWT_BEARER, assertion, ...more }, client);
