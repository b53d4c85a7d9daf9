import { createHash, timingSafeEqual } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { SealBroken } from '#libs/vault';
import { Encryption, type SealingKey } from './encryption.js';
import { sealingKeyOf } from './envelope.js';
import { vaultUnavailable, type VaultAnswer, type VaultClient } from './vault-client.js';
import type { VaultLogin } from './vault-login.js';

export interface TransitKey {
  readonly mountPath: string;
  readonly keyName: string;
}

/** What comes back is twice in base64 and must fit into the answers that are read. */
const MAX_PLAINTEXT_BYTES = 32 * 1024;
const DIGEST_BYTES = 32;
const ciphertextForm = /^vault:v\d{1,9}:[A-Za-z0-9+/]+={0,2}$/;
/** What Vault says about a value, in contrast to what it says about keys and rights: that says nothing about the value. */
const aboutTheValue = /message authentication failed|invalid ciphertext|disallowed by policy \(too old\)/;

/**
 * Encryption by the Transit engine of HashiCorp Vault or OpenBao: `vt1.<key name>.vault:v<version>:<base64>`.
 *
 * The context goes along as associated data, which Vault authenticates. A server that does not know that parameter ignores it without a
 * word; therefore the context's digest lies before the plaintext, too.
 */
export class VaultTransit extends Encryption {
  readonly driver = 'vault_transit_encrypt';
  readonly #log = new Logger('Vault');
  #problem: string | undefined;

  constructor(
    private readonly client: VaultClient,
    private readonly login: VaultLogin,
    private readonly key: TransitKey,
  ) {
    super();
  }

  async seal(plaintext: Buffer, context: string): Promise<string> {
    if (plaintext.length > MAX_PLAINTEXT_BYTES) throw new RangeError('the value is too long to be sealed by Vault');
    const { status, body } = await this.#transit('encrypt', {
      plaintext: Buffer.concat([digestOf(context), plaintext]).toString('base64'),
      associated_data: Buffer.from(context).toString('base64'),
    });
    const ciphertext = status === 200 ? dataOf(body, 'ciphertext') : undefined;
    const sealed = `vt1.${this.key.keyName}.${ciphertext ?? ''}`;
    if (ciphertext === undefined || !ciphertextForm.test(ciphertext) || !sealingKeyOf(sealed))
      throw this.#away(status === 200 ? 'its answer cannot be read' : 'it does not seal: is the key there, and AEAD?');
    return sealed;
  }

  async open(sealed: string, context: string): Promise<Buffer> {
    const head = `vt1.${this.key.keyName}.`;
    const ciphertext = sealed.slice(head.length);
    if (!sealed.startsWith(head) || !ciphertextForm.test(ciphertext)) throw new SealBroken();
    const { status, body } = await this.#transit('decrypt', {
      ciphertext,
      associated_data: Buffer.from(context).toString('base64'),
    });
    if (status !== 200 && saidAboutValue(body)) throw new SealBroken();
    const plaintext = status === 200 ? dataOf(body, 'plaintext') : undefined;
    if (plaintext === undefined) throw this.#away(status === 200 ? 'its answer cannot be read' : 'it does not open');
    const bytes = Buffer.from(plaintext, 'base64');
    const digest = bytes.subarray(0, DIGEST_BYTES);
    if (digest.length < DIGEST_BYTES || !timingSafeEqual(digest, digestOf(context))) throw new SealBroken();
    return bytes.subarray(DIGEST_BYTES);
  }

  knows({ prefix }: SealingKey): boolean {
    return prefix.startsWith(`vt1.${this.key.keyName}.`);
  }

  /** Which version is the newest only Vault knows; it says so when it seals. */
  async keyInForce(): Promise<SealingKey> {
    const { id, prefix } = sealingKeyOf(await this.seal(Buffer.alloc(0), 'probe:')) ?? fail();
    return { id, prefix };
  }

  async #transit(operation: 'encrypt' | 'decrypt', body: object): Promise<VaultAnswer> {
    const path = `${this.key.mountPath}/${operation}/${this.key.keyName}`;
    try {
      const token = await this.login.token();
      let answer = await this.client.post(path, body, token);
      if (answer.status === 403) {
        const another = await this.login.another(token);
        if (another !== undefined) answer = await this.client.post(path, body, another);
      }
      if (answer.status === 403) throw vaultUnavailable('permission denied: has the token ended, may it use the key?');
      if (answer.status === 404) throw vaultUnavailable('there is no Transit engine at mount_path');
      if (answer.status === 200) this.#back();
      return answer;
    } catch (error) {
      if (error instanceof OAuthError) this.#away(String(error.facts.problem));
      throw error;
    }
  }

  /** Logged when it begins and when it changes, not with every request. */
  #away(problem: string): OAuthError {
    if (problem !== this.#problem) this.#log.warn({ message: 'vault cannot be used', problem });
    this.#problem = problem;
    return vaultUnavailable(problem);
  }

  #back(): void {
    if (this.#problem !== undefined) this.#log.log('vault can be used again');
    this.#problem = undefined;
  }
}

const digestOf = (context: string): Buffer => createHash('sha256').update(context).digest();

function dataOf(body: VaultAnswer['body'], member: string): string | undefined {
  const value = (body.data as Record<string, unknown> | undefined)?.[member];
  return typeof value === 'string' ? value : undefined;
}

function saidAboutValue({ errors }: VaultAnswer['body']): boolean {
  return Array.isArray(errors) && errors.some((text) => typeof text === 'string' && aboutTheValue.test(text));
}

function fail(): never {
  throw new TypeError('Vault has sealed into what is no envelope.');
}
