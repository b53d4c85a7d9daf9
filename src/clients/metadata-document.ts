import { OAuthError, parseJson } from '#libs/oauth';
import type { ClientMetadata } from './client.js';
import { readClientMetadata } from './client-metadata.js';
import type { KeyUrlRules } from './key-metadata.js';

/** Of a document, in bytes (draft-ietf-oauth-client-id-metadata-document-02 §6.6). */
export const MAX_DOCUMENT_BYTES = 5 * 1024;

const MAX_ID_LENGTH = 1024;
const AUTHORITY = /^((?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json$/i;
/** RFC 7518 §6: what a public key never has. */
const PRIVATE_KEY_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** The document breaks a rule: asking again soon would not help. `problem` is for the operator. */
export class DocumentWrong extends Error {
  override readonly name = 'DocumentWrong';

  constructor(
    readonly problem: string,
    cause?: unknown,
  ) {
    super(problem, cause === undefined ? undefined : { cause });
  }
}

export interface DocumentAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/**
 * What keeps a URL from being a client id, or undefined (draft -02 §3). Checked on the raw text, and that a WHATWG parser reads
 * the very same host and path in it: client ids are compared as strings, so that no two spellings may lead to one place unseen.
 */
export function documentUrlProblem(id: string, { requireHttps }: { requireHttps: boolean }): string | undefined {
  if (id.length > MAX_ID_LENGTH) return `the URL is longer than ${MAX_ID_LENGTH} characters`;
  if (/[^\x21-\x7e]|\\/.test(id)) return 'the URL has characters other than printable ASCII, or a backslash';
  if (id.includes('#')) return 'the URL has a fragment';
  const [, scheme, authority = '', path = '', query = ''] = /^(https?):\/\/([^/?]*)(\/[^?]*)?(\?.*)?$/.exec(id) ?? [];
  if (scheme === undefined) return 'the URL is not https';
  if (scheme === 'http' && requireHttps) return 'the URL is not https (cimd.require_https)';
  if (authority.includes('@')) return 'the URL has a user name or password';
  const [, host] = AUTHORITY.exec(authority.toLowerCase()) ?? [];
  if (host === undefined || !URL.canParse(id)) return 'the URL has no proper host';
  if (!/[^/]/.test(path)) return 'the URL has no path';
  const url = new URL(id);
  if (url.hostname !== host) return 'the host is written in another way than it is read';
  if (url.pathname !== path || url.search !== query) return 'the path has dot segments or unusual characters';
  return undefined;
}

/**
 * Whether a host is on a list of hosts, each of which stands for its subdomains too; whole labels only.
 *
 * @param id a URL that has no problem
 */
export function hostIsListed(id: string, hosts: readonly string[]): boolean {
  const host = new URL(id).hostname;
  return hosts.some((listed) => {
    const name = listed.toLowerCase().replace(/^\*?\./, '');
    return host === name || host.endsWith(`.${name}`);
  });
}

/**
 * What the answer to a request for `id` says about the client.
 *
 * @throws DocumentWrong
 */
export function readMetadataDocument(
  id: string,
  answer: DocumentAnswer,
  allowedSchemes: readonly string[],
  keyUrls: KeyUrlRules = {},
): ClientMetadata {
  if (answer.status !== 200) throw new DocumentWrong(`the host answered ${answer.status}, not 200`);
  if (!JSON_TYPE.test(answer.headers['content-type']?.split(';', 1)[0]?.trim() ?? '')) {
    throw new DocumentWrong('the content type is not application/json');
  }
  const members = parseDocument(answer.body);
  if (members['client_id'] !== id)
    throw new DocumentWrong('client_id in the document is not, byte for byte, the URL it was fetched from');
  for (const name of ['client_secret', 'client_secret_expires_at']) {
    if (members[name] !== undefined) throw new DocumentWrong(`${name} must not stand in a public document`);
  }
  refusePrivateKeys(members['jwks']);
  if (
    members['jwks_uri'] !== undefined &&
    !(keyUrls.allowHttp ? /^https?:\/\// : /^https:\/\//).test(String(members['jwks_uri']))
  ) {
    throw new DocumentWrong('jwks_uri must be an https URL');
  }
  try {
    return readClientMetadata(members, { source: 'cimd', allowedSchemes, keyUrls });
  } catch (error) {
    throw asWrong(error);
  }
}

function parseDocument(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch (error) {
    throw error instanceof OAuthError ? asWrong(error) : new DocumentWrong('the document is not UTF-8', error);
  }
  if (!isObject(value)) throw new DocumentWrong('the document is not a JSON object');
  return value;
}

function refusePrivateKeys(jwks: unknown): void {
  if (jwks === undefined) return;
  const keys = isObject(jwks) ? jwks['keys'] : undefined;
  if (!Array.isArray(keys) || !keys.every(isObject)) throw new DocumentWrong('jwks is not a JWK set');
  const isPublic = (key: Record<string, unknown>): boolean =>
    key['kty'] !== 'oct' && PRIVATE_KEY_MEMBERS.every((member) => key[member] === undefined);
  if (!keys.every(isPublic))
    throw new DocumentWrong('jwks holds a private or symmetric key: it is public now, replace it');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asWrong(error: unknown): unknown {
  return error instanceof OAuthError ? new DocumentWrong(error.description, error) : error;
}
