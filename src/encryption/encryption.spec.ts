import { describe, expect, it } from 'vitest';
import { SealBroken, keyIdOf } from '#libs/vault';
import { AesMaster } from './aes-master.js';
import { EncryptionOff } from './encryption.js';
import { NoEncryption } from './no-encryption.js';

const master = 'ab'.repeat(32);
const newMaster = 'cd'.repeat(32);
const secret = Buffer.from('a private key');
const context = 'signing-key:one';

describe('AesMaster', () => {
  it('opens what it sealed, also in another process with the same master key', async () => {
    const sealed = await new AesMaster(master).seal(secret, context);
    expect(sealed).not.toContain(secret.toString());
    expect(await new AesMaster(master).open(sealed, context)).toEqual(secret);
  });

  it.each(['signing-key:two', 'connection:one', 'signing-key', ''])(
    'does not open in the context "%s"',
    async (other) => {
      const encryption = new AesMaster(master);
      const sealed = await encryption.seal(secret, context);
      await expect(encryption.open(sealed, other)).rejects.toThrow(SealBroken);
    },
  );

  it('opens with the former master key what it sealed, and seals with the new one', async () => {
    const before = await new AesMaster(master).seal(secret, context);
    const changed = new AesMaster(newMaster, master);
    expect(await changed.open(before, context)).toEqual(secret);
    const after = await changed.seal(secret, context);
    expect(keyIdOf(after)).not.toBe(keyIdOf(before));
    await expect(new AesMaster(master).open(after, context)).rejects.toThrow(SealBroken);
    expect(await new AesMaster(newMaster).open(after, context)).toEqual(secret);
  });

  it('does not open under a master key it does not know', async () => {
    const sealed = await new AesMaster(master).seal(secret, context);
    await expect(new AesMaster(newMaster).open(sealed, context)).rejects.toThrow(SealBroken);
  });

  it('seals with the one key it has when old and new are the same', async () => {
    const encryption = new AesMaster(master, master);
    expect(await encryption.open(await encryption.seal(secret, context), context)).toEqual(secret);
  });

  it.each(['', 'ab', `${master}ab`, 'zz'.repeat(32)])('refuses the master key "%s"', (wrong) => {
    expect(() => new AesMaster(wrong)).toThrow(RangeError);
  });
});

describe('NoEncryption', () => {
  it('neither seals nor opens, and names the setting', async () => {
    await expect(new NoEncryption().seal()).rejects.toThrow(EncryptionOff);
    await expect(new NoEncryption().open()).rejects.toThrow('data_encryption.driver');
  });
});
