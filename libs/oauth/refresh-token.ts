import { createHmac, randomBytes } from 'node:crypto';
import { fromBase64Url } from './base64url.js';
import { sameBytes, sha256 } from './bearer-value.js';
import { bytesOfUuid, uuidOfBytes } from './uuid-bytes.js';

const prefix = 'ap_rt_';
const familyBytes = 16;
const generationBytes = 4;
const randomPart = 16;
const macBytes = 16;
const macAt = familyBytes + generationBytes + randomPart;
const length = prefix.length + Math.ceil(((macAt + macBytes) * 4) / 3);

export interface RefreshTokenParts {
  readonly familyId: string;
  readonly generation: number;
  /** SHA-256 of the whole token. */
  readonly hash: Buffer;
  /** Whether this server made it. Only a genuine token that is not live may count as reuse and end its family. */
  readonly genuine: boolean;
}

/**
 * `ap_rt_` and base64url(family id ‖ generation, uint32 big endian ‖ 16 random bytes ‖ MAC).
 *
 * The MAC lets a spent token be recognised without a history of hashes, and keeps somebody who merely knows a family id
 * from ending it. It authenticates nothing else: whether a token is live is decided by its hash on the family's row.
 */
export class RefreshTokenFormat {
  readonly #key: Buffer;

  /** @throws RangeError for a key under 32 bytes */
  constructor(key: Buffer) {
    if (key.length < 32) throw new RangeError('the refresh token key must have at least 32 bytes');
    this.#key = Buffer.from(key);
  }

  /**
   * @param generation counts rotations, 0 to 2^32 - 1
   * @throws TypeError if the family id is no UUID; RangeError for a generation out of range
   */
  create(familyId: string, generation: number): { value: string; hash: Buffer } {
    const counter = Buffer.alloc(generationBytes);
    counter.writeUInt32BE(generation);
    const body = Buffer.concat([bytesOfUuid(familyId), counter, randomBytes(randomPart)]);
    const value = prefix + Buffer.concat([body, this.#mac(body)]).toString('base64url');
    return { value, hash: sha256(value) };
  }

  /** Undefined if the value has not the shape of a refresh token. */
  read(value: string): RefreshTokenParts | undefined {
    if (value.length !== length || !value.startsWith(prefix)) return undefined;
    const bytes = fromBase64Url(value.slice(prefix.length));
    if (!bytes) return undefined;
    return {
      familyId: uuidOfBytes(bytes.subarray(0, familyBytes)),
      generation: bytes.readUInt32BE(familyBytes),
      hash: sha256(value),
      genuine: sameBytes(bytes.subarray(macAt), this.#mac(bytes.subarray(0, macAt))),
    };
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).digest().subarray(0, macBytes);
  }
}
