import { verify } from '@node-rs/argon2';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { PasswordHashing, PasswordUnfit } from './password-hashing.js';

/** The real one, counted. */
vi.mock('@node-rs/argon2', async (original) => {
  const argon2 = await original<typeof import('@node-rs/argon2')>();
  return { ...argon2, verify: vi.fn(argon2.verify) };
});

const passwords = new PasswordHashing();

/** How many verifications were carried out to the end: a hash that cannot be read costs nothing. */
async function finished(): Promise<number> {
  const results = await Promise.allSettled(
    vi.mocked(verify).mock.results.map(({ value }) => value as Promise<boolean>),
  );
  return results.filter(({ status }) => status === 'fulfilled').length;
}

beforeEach(() => {
  vi.mocked(verify).mockClear();
});

describe('password hashing', () => {
  it('uses argon2id with 19 MiB, two passes and one lane', async () => {
    expect(await passwords.hash('correct horse battery')).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('verifies the password and nothing else', async () => {
    const hash = await passwords.hash('correct horse battery');
    expect(await passwords.verify(hash, 'correct horse battery')).toBe(true);
    expect(await passwords.verify(hash, 'correct horse batterz')).toBe(false);
    expect(await passwords.verify(hash, '')).toBe(false);
  });

  it.each(['', 'eleven-char', '\u{1F600}'.repeat(11)])('refuses "%s": under twelve characters', async (password) => {
    await expect(passwords.hash(password)).rejects.toThrow(PasswordUnfit);
  });

  it('takes twelve characters, of any script', async () => {
    expect(await passwords.verify(await passwords.hash('пароль-велик'), 'пароль-велик')).toBe(true);
  });

  it('refuses more than 1,024 bytes, and never matches them', async () => {
    await expect(passwords.hash('x'.repeat(1025))).rejects.toThrow(PasswordUnfit);
    expect(await passwords.verify(await passwords.hash('x'.repeat(1024)), 'x'.repeat(1025))).toBe(false);
  });

  it('takes one password for the same, however its accents were composed', async () => {
    const hash = await passwords.hash('caf\u00e9 au lait noir');
    expect(await passwords.verify(hash, 'cafe\u0301 au lait noir')).toBe(true);
  });

  it.each([undefined, '', 'plain', '$2b$10$abcdefghijklmnopqrstuv', '$argon2id$broken'])(
    'matches nothing, not even the empty password, when the stored hash is %s',
    async (stored) => {
      expect(await passwords.verify(stored, '')).toBe(false);
      expect(await passwords.verify(stored, 'correct horse battery')).toBe(false);
    },
  );

  it('costs one whole verification, whatever is wrong', async () => {
    const hash = await passwords.hash('correct horse battery');
    const attempts: [string | undefined, string][] = [
      [hash, 'correct horse battery'],
      [hash, 'wrong horse battery'],
      [hash, ''],
      [hash, 'x'.repeat(4000)],
      [undefined, 'correct horse battery'],
      ['$argon2id$broken', 'correct horse battery'],
      ['$2b$10$abcdefghijklmnopqrstuv', 'correct horse battery'],
    ];
    for (const [index, [stored, password]] of attempts.entries()) {
      await passwords.verify(stored, password);
      expect(await finished()).toBe(index + 1);
    }
  });
});
