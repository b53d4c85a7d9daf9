import { describe, expect, it } from 'vitest';
import { parseDuration } from './duration.js';

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['30s', 30],
    ['500ms', 0.5],
    ['10m', 600],
    ['1h30m', 5_400],
    ['168h', 604_800],
    ['7d', 604_800],
    ['2w1d', 1_296_000],
    ['1h0m5s', 3_605],
  ])('%s is %d seconds', (written, seconds) => {
    expect(parseDuration(written)).toBe(seconds);
  });

  it.each([
    '',
    ' ',
    '30',
    '30 s',
    '-1s',
    '+1s',
    '1.5h',
    '30s10m',
    '1h1h',
    '1y',
    's',
    '1H',
    '9'.repeat(39) + 's',
    '1m\n',
  ])('"%s" is none', (written) => {
    expect(parseDuration(written)).toBeUndefined();
  });
});
