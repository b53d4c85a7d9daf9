import { isIP } from 'node:net';
import { algsOf, clientSigningAlgs, KeySetRefused, readPublicKeys, type PublicKey } from '#libs/jwt';
import type { AuthMethod } from '#libs/oauth';
import { isPublicAddress } from '../platform/http-client/address-rules.js';
import { FetchRefused } from '../platform/http-client/fetch-errors.js';
import { outgoingUrl, type UrlRules } from '../platform/http-client/outgoing-url.js';
import type { ClientKeyMetadata, RegistrationSource } from './client.js';
import { metadataRefused } from './metadata-refused.js';

export interface KeyMembers {
  readonly jwks?: unknown;
  readonly jwks_uri?: unknown;
  readonly token_endpoint_auth_signing_alg?: unknown;
}

/** What `jwks_uri` may look like beyond public https: development only. */
export type KeyUrlRules = Pick<UrlRules, 'allowHttp' | 'allowPrivate'>;

const MAX_URL = 2048;
/** Spread over a client it ends what was there. */
const NO_KEYS: ClientKeyMetadata = { keys: undefined, jwksUri: undefined, assertionAlg: undefined };

/**
 * The keys that a client authenticates with (RFC 7591 §2): `jwks` or `jwks_uri`. Clients of other methods keep none, but a
 * private key is refused whoever sends it: it must be replaced.
 *
 * @throws OAuthError `client-metadata-refused`
 */
export function readKeyMembers(
  members: KeyMembers,
  method: AuthMethod,
  { source, keyUrls = {} }: { readonly source: RegistrationSource; readonly keyUrls?: KeyUrlRules },
): ClientKeyMetadata {
  const given = (name: keyof KeyMembers): boolean => members[name] !== undefined && members[name] !== null;
  const names = (['jwks', 'jwks_uri'] as const).filter(given);
  if (names.length > 1) throw metadataRefused('jwks and jwks_uri must not both be there');
  if (method !== 'private_key_jwt') {
    if (names[0] && source === 'admin') throw metadataRefused(`${names[0]} is for private_key_jwt only`);
    if (given('jwks')) refuseSecretKeys(members.jwks);
    return NO_KEYS;
  }
  if (!names[0]) throw metadataRefused('private_key_jwt needs jwks or jwks_uri');
  const assertionAlg = readAlg(members.token_endpoint_auth_signing_alg);
  if (names[0] === 'jwks_uri') return { ...NO_KEYS, jwksUri: readKeyUrl(members.jwks_uri, keyUrls), assertionAlg };
  const keys = readKeys(members.jwks);
  if (assertionAlg && !keys.some((key) => algsOf(key).includes(assertionAlg)))
    throw metadataRefused(`jwks holds no key for ${assertionAlg}, which token_endpoint_auth_signing_alg names`);
  return { ...NO_KEYS, keys, assertionAlg };
}

/** The wire names, for answers and for what an update keeps. */
export function toKeyMembers({ keys, jwksUri, assertionAlg }: ClientKeyMetadata): KeyMembers {
  return {
    ...(keys ? { jwks: { keys } } : {}),
    ...(jwksUri === undefined ? {} : { jwks_uri: jwksUri }),
    ...(assertionAlg ? { token_endpoint_auth_signing_alg: assertionAlg } : {}),
  };
}

function readKeys(jwks: unknown): PublicKey[] {
  try {
    return readPublicKeys(jwks);
  } catch (error) {
    throw error instanceof KeySetRefused ? metadataRefused(`jwks: ${error.problem}`) : error;
  }
}

/** Of a set that is not kept, whatever else may be wrong with it. */
function refuseSecretKeys(jwks: unknown): void {
  try {
    readPublicKeys(jwks);
  } catch (error) {
    if (error instanceof KeySetRefused && error.secret) throw metadataRefused(`jwks: ${error.problem}`);
  }
}

function readAlg(value: unknown): ClientKeyMetadata['assertionAlg'] {
  if (value === undefined || value === null) return undefined;
  const alg = clientSigningAlgs.find((known) => known === value);
  if (!alg) throw metadataRefused(`token_endpoint_auth_signing_alg must be one of ${clientSigningAlgs.join(', ')}`);
  return alg;
}

/** Names nothing can be fetched from are refused here; where a name leads is checked whenever it is fetched. */
function readKeyUrl(value: unknown, rules: KeyUrlRules): string {
  if (typeof value !== 'string' || value.length > MAX_URL) throw metadataRefused('jwks_uri must be a URL');
  try {
    const { host, privateAllowed } = outgoingUrl(value, { trust: 'client', ...rules });
    if (!privateAllowed && isIP(host) !== 0 && !isPublicAddress(host)) throw new FetchRefused('address');
    return value;
  } catch (error) {
    if (error instanceof FetchRefused) throw metadataRefused('jwks_uri must be a public https URL without a fragment');
    throw error;
  }
}
