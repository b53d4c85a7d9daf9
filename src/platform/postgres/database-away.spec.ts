import { QueryFailedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { asDatabaseAway, DatabaseAway, gaveWay, isDatabaseAway, sqlState, violatedUnique } from './database-away.js';

const failure = (message: string, code?: string): Error => Object.assign(new Error(message), code ? { code } : {});

describe('isDatabaseAway', () => {
  it.each(['08006', '53300', '57P01', '57P03', '25006', 'ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'])(
    'recognises %s, from the driver and through the ORM',
    (code) => {
      expect(isDatabaseAway(failure('x', code))).toBe(true);
      expect(isDatabaseAway(new QueryFailedError('select', [], failure('x', code)))).toBe(true);
    },
  );

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Query read timeout',
    'timeout exceeded when trying to connect',
  ])('recognises "%s", which has no code', (message) => expect(isDatabaseAway(failure(message))).toBe(true));

  it('recognises a host that refuses on each of its addresses', () => {
    expect(
      isDatabaseAway(new AggregateError([failure('::1', 'ECONNREFUSED'), failure('127.0.0.1', 'ECONNREFUSED')])),
    ).toBe(true);
  });

  it.each([
    failure('duplicate', '23505'),
    failure('syntax', '42601'),
    failure('deadlock', '40P01'),
    failure('a bug'),
    'text',
    undefined,
  ])('lets %s be what it is', (error) => {
    expect(isDatabaseAway(error)).toBe(false);
    expect(asDatabaseAway(error, true)).toBe(error);
  });
});

describe('the outcome of a statement', () => {
  const outcomeUnknown = (error: Error, sent: boolean): unknown => {
    const away = asDatabaseAway(error, sent);
    return away instanceof DatabaseAway ? away.outcomeUnknown : 'not away';
  };

  it('is unknown when the connection broke after it was sent', () => {
    expect(outcomeUnknown(failure('Query read timeout'), true)).toBe(true);
    expect(outcomeUnknown(failure('reset', 'ECONNRESET'), true)).toBe(true);
    expect(outcomeUnknown(failure('terminated', '57P01'), true)).toBe(true);
  });

  it('is known when it was not sent, or the server itself refused it', () => {
    expect(outcomeUnknown(failure('reset', 'ECONNRESET'), false)).toBe(false);
    expect(outcomeUnknown(failure('disk full', '53100'), true)).toBe(false);
    expect(outcomeUnknown(failure('statement timeout', '57014'), true)).toBe(false);
    expect(outcomeUnknown(failure('standby', '25006'), true)).toBe(false);
  });

  it('keeps its verdict when it passes by again', () => {
    const away = new DatabaseAway(false, failure('gone'));
    expect(asDatabaseAway(away, true)).toBe(away);
  });

  it('keeps the state of an SQL error readable through the ORM', () => {
    expect(sqlState(new QueryFailedError('insert', [], failure('duplicate', '23505')))).toBe('23505');
    expect(sqlState(failure('plain'))).toBeUndefined();
  });
});

describe('what the database says of other transactions', () => {
  it('is that this one gave way, for a deadlock and for want of a serial order', () => {
    const states = ['40P01', '40001', '40002', '23505'];
    expect(states.filter((state) => gaveWay(new QueryFailedError('update', [], failure('x', state))))).toEqual([
      '40P01',
      '40001',
    ]);
  });

  it('is the name of the constraint that one of them has the value of', () => {
    const violation = (code: string) => Object.assign(failure('x', code), { constraint: 'things_name_key' });
    expect(violatedUnique(new QueryFailedError('insert', [], violation('23505')))).toBe('things_name_key');
    expect(violatedUnique(violation('23514'))).toBeUndefined();
    expect(violatedUnique(failure('x', '23505'))).toBeUndefined();
  });
});
