import { describe, expect, it } from 'vitest';
import { RefreshSlots, slotsFor } from './refresh-slots.js';

describe('refreshes under way', () => {
  const never = (): Promise<never> => new Promise(() => {});

  it('leave room for another provider when one hangs, and none without end', async () => {
    const slots = new RefreshSlots({ all: 3, ofOne: 2 });
    expect([slots.run('slow', never), slots.run('slow', never)]).not.toContain(undefined);
    expect(slots.run('slow', never)).toBeUndefined();
    expect(await slots.run('other', async () => 'token')).toBe('token');
    expect(slots.run('other', never)).toBeDefined();
    expect(slots.run('third', never)).toBeUndefined();
  });

  it('give their place back, also when they fail', async () => {
    const slots = new RefreshSlots({ all: 1, ofOne: 1 });
    await expect(slots.run('one', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
    expect(await slots.run('one', async () => 'token')).toBe('token');
  });

  it.each([
    [25, 8, 6],
    [1000, 8, 6],
    [10, 3, 2],
    [2, 1, 1],
  ])(
    'of a process with %i connections to the database are at most %i, %i of one provider',
    (connections, all, ofOne) => {
      expect(slotsFor(connections)).toEqual({ all, ofOne });
      // One held by each, and one more that they need in turn.
      expect(all).toBeLessThan(connections);
    },
  );
});
