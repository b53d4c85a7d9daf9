import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serve } from './outgoing.js';
import {
  addVersion,
  aVaultSigningKey,
  describeKey,
  signWith,
  type VaultSigningKey,
  type VaultSigningType,
} from './vault-signing-key.js';

/** How the server is, or what a proxy in front of it does. */
export type VaultState = 'open' | 'sealed' | 'silent' | 'redirecting' | 'huge' | 'garbled' | 'cut' | 'broken';

export interface VaultOptions {
  now?: () => number;
  /** As servers before Vault 1.13 do: what they do not know they ignore. */
  ignoresAssociatedData?: boolean;
  /** Seconds. */
  lease?: number;
}

export interface VaultServer {
  readonly address: string;
  /** Operations in the order in which they came, as `transit/encrypt/authplane`. */
  readonly calls: string[];
  /** Everything secret that was shown to it or made by it. */
  readonly secrets: string[];
  readonly root: string;
  readonly role: { roleId: string; secretId: string };
  state: VaultState;
  /** The only one in which there is anything. */
  namespace: string | undefined;
  /** After so many calls from now it is as `state` says; resolves when the next one has come. */
  turnsAfter(calls: number, state: VaultState): Promise<void>;
  /** Operations that the policy of every token but the root's leaves out, as they stand in `calls`. */
  readonly denied: Set<string>;
  /** What whoever stands between makes of an answer of 200. */
  between: ((call: string, body: any) => unknown) | undefined;
  /** A key of a signing type, or another one in the place of one. */
  makeSigningKey(key: string, type: VaultSigningType): VaultSigningKey;
  rotate(key: string): void;
  /** Values of older versions are refused. */
  raiseMinimum(key: string, version: number): void;
  /** @returns a token that ends */
  issue(seconds: number, renewable: boolean): string;
  /** Ends every token but the root's. */
  endTokens(): void;
  close(): Promise<void>;
}

interface Key {
  readonly versions: Buffer[];
  minimum: number;
}

interface Token {
  endsAt: number;
  readonly seconds: number;
  readonly renewable: boolean;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

const said = (status: number, ...errors: string[]): Answer => ({ status, body: { errors } });

/**
 * As much of Vault's API as the server speaks: Transit with associated data, signing keys, AppRole, renewal. Statuses and the texts of errors are those of
 * Vault 1.21. Keys and tokens are in memory.
 */
export async function startVaultServer({
  now = () => new Date().getTime(),
  ignoresAssociatedData = false,
  lease = 1200,
}: VaultOptions = {}): Promise<VaultServer> {
  const keys = new Map<string, Key>([['authplane', { versions: [randomBytes(32)], minimum: 1 }]]);
  const signingKeys = new Map<string, VaultSigningKey>();
  const denied = new Set<string>();
  const role = { roleId: randomUUID(), secretId: randomUUID() };
  const root = `hvs.${randomBytes(12).toString('hex')}`;
  const tokens = new Map<string, Token>([[root, { endsAt: Infinity, seconds: 0, renewable: false }]]);
  const calls: string[] = [];
  const secrets = [root, role.secretId];
  let callsLeft = Infinity;
  let turnsTo: VaultState = 'open';
  let turned = (): void => {};

  const issue = (seconds: number, renewable: boolean): string => {
    const token = `hvs.${randomBytes(12).toString('hex')}`;
    tokens.set(token, { endsAt: now() + seconds * 1000, seconds, renewable });
    secrets.push(token);
    return token;
  };

  const authOf = (token: string): object => {
    const { seconds, renewable } = tokens.get(token) as Token;
    return { auth: { client_token: token, lease_duration: seconds, renewable, token_type: 'service' } };
  };

  const login = (body: Record<string, unknown>): Answer =>
    body.role_id === role.roleId && body.secret_id === role.secretId
      ? { status: 200, body: authOf(issue(lease, true)) }
      : said(400, 'invalid role or secret ID');

  const renew = (token: string): Answer => {
    const held = tokens.get(token) as Token;
    if (!held.renewable) return said(400, 'lease is not renewable');
    held.endsAt = now() + held.seconds * 1000;
    return { status: 200, body: authOf(token) };
  };

  const signing = (
    method: string,
    operation: string,
    name: string,
    rest: string,
    body: Record<string, unknown>,
  ): Answer => {
    const key = signingKeys.get(name);
    if (operation === 'sign') {
      const signed = key ? signWith(key, body) : 'signing key not found';
      return typeof signed === 'string' ? said(400, signed) : { status: 200, body: { data: signed } };
    }
    if (rest === 'rotate' && method === 'POST') {
      if (!key) return said(400, 'key not found');
      addVersion(key);
    }
    return key ? { status: 200, body: { data: describeKey(key, name) } } : said(404);
  };

  const transit = (operation: string, name: string, body: Record<string, unknown>): Answer => {
    const key = keys.get(name);
    if (!key) return operation === 'decrypt' ? said(400, 'encryption key not found') : said(403, 'permission denied');
    const aad = ignoresAssociatedData ? Buffer.alloc(0) : Buffer.from(String(body.associated_data ?? ''), 'base64');
    return operation === 'encrypt'
      ? { status: 200, body: { data: encrypt(key, Buffer.from(String(body.plaintext), 'base64'), aad) } }
      : decrypt(key, String(body.ciphertext), aad);
  };

  const answerTo = async (req: IncomingMessage): Promise<Answer> => {
    const [, , ...path] = (req.url ?? '').split('/');
    calls.push(path.join('/'));
    if (req.headers['x-vault-namespace'] !== vault.namespace) return said(403, 'permission denied');
    const body = JSON.parse(await text(req)) as Record<string, unknown>;
    if (path.join('/') === 'auth/approle/login') return login(body);
    const token = String(req.headers['x-vault-token'] ?? '');
    if (!((tokens.get(token)?.endsAt ?? 0) > now())) return said(403, 'permission denied', 'invalid token');
    if (path.join('/') === 'auth/token/renew-self') return renew(token);
    if (token !== root && denied.has(path.join('/'))) return said(403, '1 error occurred:\n\t* permission denied\n\n');
    const [mount, operation = '', name = '', rest = ''] = path;
    if (mount === 'transit' && ['sign', 'keys'].includes(operation))
      return signing(req.method ?? '', operation, name, rest, body);
    return mount === 'transit'
      ? transit(operation, name, body)
      : said(404, `no handler for route "${path.join('/')}". route entry not found.`);
  };

  const server = await serve((req, res) => {
    callsLeft -= 1;
    if (callsLeft === -1) {
      vault.state = turnsTo;
      turned();
    }
    if (vault.state === 'open')
      void answerTo(req).then(({ status, body }) => {
        const call = (req.url ?? '').slice('/v1/'.length);
        send(res, status, JSON.stringify(status === 200 && vault.between ? vault.between(call, body) : body));
      });
    else misbehave[vault.state](res);
  });

  const vault: VaultServer = {
    address: `http://127.0.0.1:${server.port}`,
    calls,
    secrets,
    root,
    role,
    state: 'open',
    namespace: undefined,
    turnsAfter: (count, state) => {
      callsLeft = count;
      turnsTo = state;
      return new Promise((resolve) => (turned = resolve));
    },
    denied,
    between: undefined,
    makeSigningKey: (name, type) => {
      const key = aVaultSigningKey(type);
      signingKeys.set(name, key);
      return key;
    },
    rotate: (name) => {
      const signs = signingKeys.get(name);
      if (signs) addVersion(signs);
      else keys.get(name)?.versions.push(randomBytes(32));
    },
    raiseMinimum: (name, version) => void Object.assign(keys.get(name) as Key, { minimum: version }),
    issue,
    endTokens: () => [...tokens.keys()].filter((token) => token !== root).forEach((token) => tokens.delete(token)),
    close: () => server.close(),
  };
  return vault;
}

const misbehave: Record<Exclude<VaultState, 'open'>, (res: ServerResponse) => void> = {
  sealed: (res) => send(res, 503, JSON.stringify({ errors: ['Vault is sealed'] })),
  silent: () => {},
  redirecting: (res) => void res.writeHead(307, { location: 'http://127.0.0.1:1/v1/transit' }).end(),
  huge: (res) => send(res, 200, JSON.stringify({ data: { plaintext: 'A'.repeat(200_000) } })),
  garbled: (res) => send(res, 200, '<html>welcome</html>'),
  cut: (res) => void res.socket?.destroy(),
  broken: (res) => send(res, 500, JSON.stringify({ errors: ['internal error'] })),
};

function send(res: ServerResponse, status: number, body: string): void {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(body);
}

function encrypt({ versions }: Key, plaintext: Buffer, aad: Buffer): object {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1) as Buffer, nonce).setAAD(aad);
  const bytes = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return { ciphertext: `vault:v${versions.length}:${bytes.toString('base64')}`, key_version: versions.length };
}

function decrypt({ versions, minimum }: Key, ciphertext: string, aad: Buffer): Answer {
  const [, written = '', encoded = ''] = /^vault:v(\d+):(.*)$/.exec(ciphertext) ?? [];
  if (written === '') return said(400, 'invalid ciphertext: no prefix');
  const version = Number(written);
  if (version < minimum) return said(400, 'ciphertext or signature version is disallowed by policy (too old)');
  const key = versions[version - 1];
  const bytes = Buffer.from(encoded, 'base64');
  if (!key || bytes.length < 28)
    return said(400, key ? 'invalid ciphertext: too short' : 'invalid ciphertext: version is too new');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
    .setAAD(aad)
    .setAuthTag(bytes.subarray(-16));
  try {
    const plaintext = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
    return { status: 200, body: { data: { plaintext: plaintext.toString('base64') } } };
  } catch {
    return said(400, 'cipher: message authentication failed');
  }
}

async function text(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString() || '{}';
}
