import { createHash, timingSafeEqual } from 'node:crypto';
import { SealBroken } from '#libs/vault';
import { textOf, type TransitEngine } from '../platform/vault/transit-engine.js';
import type { VaultAnswer } from '../platform/vault/vault-client.js';
import { Encryption, type SealingKey } from './encryption.js';
import { sealingKeyOf } from './envelope.js';

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

  constructor(private readonly engine: TransitEngine) {
    super();
  }

  async seal(plaintext: Buffer, context: string): Promise<string> {
    if (plaintext.length > MAX_PLAINTEXT_BYTES) throw new RangeError('the value is too long to be sealed by Vault');
    const answer = await this.engine.ask('encrypt', {
      plaintext: Buffer.concat([digestOf(context), plaintext]).toString('base64'),
      associated_data: Buffer.from(context).toString('base64'),
    });
    const ciphertext = answer.status === 200 ? textOf(answer, 'ciphertext') : undefined;
    const sealed = `${this.#head}${ciphertext ?? ''}`;
    if (ciphertext === undefined || !ciphertextForm.test(ciphertext) || !sealingKeyOf(sealed))
      throw this.engine.away(
        'encrypt',
        answer.status === 200 ? 'its answer cannot be read' : 'it does not seal: is the key there, and AEAD?',
      );
    return sealed;
  }

  async open(sealed: string, context: string): Promise<Buffer> {
    const ciphertext = sealed.slice(this.#head.length);
    if (!sealed.startsWith(this.#head) || !ciphertextForm.test(ciphertext)) throw new SealBroken();
    const answer = await this.engine.ask('decrypt', {
      ciphertext,
      associated_data: Buffer.from(context).toString('base64'),
    });
    const { status, body } = answer;
    if (status !== 200 && saidAboutValue(body)) throw new SealBroken();
    const plaintext = status === 200 ? textOf(answer, 'plaintext') : undefined;
    if (plaintext === undefined)
      throw this.engine.away('decrypt', status === 200 ? 'its answer cannot be read' : 'it does not open');
    const bytes = Buffer.from(plaintext, 'base64');
    const digest = bytes.subarray(0, DIGEST_BYTES);
    if (digest.length < DIGEST_BYTES || !timingSafeEqual(digest, digestOf(context))) throw new SealBroken();
    return bytes.subarray(DIGEST_BYTES);
  }

  knows({ prefix }: SealingKey): boolean {
    return prefix.startsWith(this.#head);
  }

  /** Which version is the newest only Vault knows; it says so when it seals. */
  async keyInForce(): Promise<SealingKey> {
    const { id, prefix } = sealingKeyOf(await this.seal(Buffer.alloc(0), 'probe:')) ?? fail();
    return { id, prefix };
  }

  get #head(): string {
    return `vt1.${this.engine.key.keyName}.`;
  }
}

const digestOf = (context: string): Buffer => createHash('sha256').update(context).digest();

function saidAboutValue({ errors }: VaultAnswer['body']): boolean {
  return Array.isArray(errors) && errors.some((text) => typeof text === 'string' && aboutTheValue.test(text));
}

function fail(): never {
  throw new TypeError('Vault has sealed into what is no envelope.');
}
