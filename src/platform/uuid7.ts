import { randomFillSync, randomInt } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let count = randomInt(2 ** 31);

/**
 * A UUID version 7 (RFC 9562 §5.7) of `at`, to the millisecond. Ids that this process makes in one millisecond ascend, so that what
 * happened later sorts later (§6.2, method 1); 42 bits are random.
 */
export function uuid7(at: Date): string {
  const bytes = Buffer.allocUnsafe(16);
  randomFillSync(bytes, 6);
  // 32 bits of counter: 12 in rand_a, 20 at the head of rand_b.
  count = (count + 1) >>> 0;
  bytes.writeUIntBE(at.getTime(), 0, 6);
  bytes.writeUInt16BE(0x7000 | (count >>> 20), 6);
  bytes[8] = 0x80 | ((count >>> 14) & 0x3f);
  bytes[9] = (count >>> 6) & 0xff;
  bytes[10] = ((count & 0x3f) << 2) | (bytes[10]! & 0x03);
  return uuidFromBytes(bytes);
}

/** The smallest UUID v7 of an instant: every id made at or after `at` is `>=` it, every earlier one `<`. */
export function uuid7Floor(at: Date): string {
  const hex = at.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}

export function uuidToBytes(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

/** @param bytes exactly 16 */
export function uuidFromBytes(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new RangeError('A UUID has 16 bytes.');
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Whether a text from outside is a UUID of any version in its canonical, lower-case spelling. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
