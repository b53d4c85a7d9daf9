import { describe, expect, it } from 'vitest';
import { hashSecret, judgeSecret, MAX_KEPT_SECRETS, type StoredSecret } from './client-secret.js';

const now = new Date('2026-01-01T12:00:00Z');
const later = new Date('2026-01-01T13:00:00Z');
const stored = (secret: string, pepper = '', expiresAt: Date | null = null): StoredSecret => ({
  id: 'id',
  ...hashSecret(secret, pepper),
  createdAt: new Date(0),
  expiresAt,
});

describe('the secret of a client', () => {
  it('is right while it lasts, and expired from its last moment on', () => {
    expect(judgeSecret('one', [stored('one')], '', now)).toBe('right');
    expect(judgeSecret('one', [stored('one', '', later)], '', now)).toBe('right');
    expect(judgeSecret('one', [stored('one', '', now)], '', now)).toBe('secret_expired');
  });

  it('may be either of two during an overlap', () => {
    const both = [stored('new'), stored('old', '', later)];
    expect(judgeSecret('new', both, '', now)).toBe('right');
    expect(judgeSecret('old', both, '', now)).toBe('right');
    expect(judgeSecret('old', both, '', later)).toBe('secret_expired');
    expect(judgeSecret('another', both, '', now)).toBe('secret_mismatch');
  });

  it('is never right for nobody, not even as an empty text', () => {
    expect(judgeSecret('', [], '', now)).toBe('secret_mismatch');
    expect(judgeSecret('\0'.repeat(32), [], 'pepper', now)).toBe('secret_mismatch');
  });

  it('is found in every place where one may be kept', () => {
    for (let place = 0; place < MAX_KEPT_SECRETS; place++) {
      const kept = Array.from({ length: MAX_KEPT_SECRETS }, (_, at) => stored(at === place ? 'mine' : `other ${at}`));
      expect(judgeSecret('mine', kept, '', now)).toBe('right');
    }
  });
});

describe('a pepper', () => {
  it('makes a hash that nobody without it can compare', () => {
    const { secretHash, pepperId } = hashSecret('one', 'pepper');
    expect(pepperId).toMatch(/^[0-9a-f]{8}$/);
    expect(secretHash).not.toEqual(hashSecret('one', '').secretHash);
    expect(judgeSecret('one', [stored('one', 'pepper')], 'pepper', now)).toBe('right');
  });

  it('that was changed or taken away is told from a wrong secret', () => {
    expect(judgeSecret('one', [stored('one', 'pepper')], 'another', now)).toBe('pepper_changed');
    expect(judgeSecret('one', [stored('one', 'pepper')], '', now)).toBe('pepper_changed');
    expect(judgeSecret('wrong', [stored('one', 'pepper')], 'pepper', now)).toBe('secret_mismatch');
  });

  it('that is new leaves the secrets stored before it as they are', () => {
    expect(judgeSecret('one', [stored('one')], 'pepper', now)).toBe('right');
  });
});
