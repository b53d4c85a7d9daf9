import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { Injectable } from '@nestjs/common';

export const PASSWORD_MIN_LENGTH = 12;
/** Argon2 would take more; nobody types more. */
export const PASSWORD_MAX_BYTES = 1024;

/** The password cannot be used; the message says why and is fit for the person who chose it. */
export class PasswordUnfit extends Error {
  override readonly name = 'PasswordUnfit';
}

/** OWASP's smallest recommendation for argon2id, which is the package's default algorithm: 19 MiB, two passes, one lane. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/**
 * Hashes and verifies passwords with argon2id.
 *
 * Holds always: `verify` does one whole verification, whatever it is given. A missing or unusable hash is replaced by one that
 * nothing matches, so that the time of a refusal does not tell whether the account exists (W23).
 */
@Injectable()
export class PasswordHashing {
  /** Of a password that was never known to anybody. */
  readonly #nobody = hash(randomBytes(32), COST);

  /** @throws PasswordUnfit under 12 characters or over 1,024 bytes */
  async hash(password: string): Promise<string> {
    if ([...normal(password)].length < PASSWORD_MIN_LENGTH) {
      throw new PasswordUnfit(`The password must have at least ${PASSWORD_MIN_LENGTH} characters.`);
    }
    if (Buffer.byteLength(password) > PASSWORD_MAX_BYTES) throw new PasswordUnfit('The password is too long.');
    return hash(normal(password), COST);
  }

  async verify(passwordHash: string | undefined, password: string): Promise<boolean> {
    const tooLong = Buffer.byteLength(password) > PASSWORD_MAX_BYTES;
    if (passwordHash === undefined || tooLong) return this.#pretend();
    return verify(passwordHash, normal(password)).catch(() => this.#pretend());
  }

  async #pretend(): Promise<false> {
    await verify(await this.#nobody, '');
    return false;
  }
}

/** One password, however the keyboard composes its accents (NIST SP 800-63B §3.1.1.2). */
const normal = (password: string): string => password.normalize('NFC');
