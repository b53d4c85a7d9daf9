import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { OAuthError, parseForm } from '#libs/oauth';
import { readCredentials } from './client-credentials.js';

/** A request as Node's parser leaves it. */
function request(...authorization: string[]): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  req.headersDistinct['authorization'] = authorization;
  return req;
}

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const read = (form: string, ...authorization: string[]) => readCredentials(request(...authorization), parseForm(form));

function refusalOf(form: string, ...authorization: string[]): string {
  try {
    read(form, ...authorization);
  } catch (error) {
    if (error instanceof OAuthError) return `${error.code}: ${error.reason}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('credentials of a client', () => {
  it('are an id alone for a public client', () => {
    expect(read('client_id=a')).toEqual({ method: 'none', id: 'a' });
    expect(read('client_id=a&client_secret=')).toEqual({ method: 'none', id: 'a' });
  });

  it('may stand in the form', () => {
    expect(read('client_id=a&client_secret=s')).toEqual({ method: 'client_secret_post', id: 'a', secret: 's' });
  });

  it('[K8] may stand in the Authorization header, raw or form-encoded, whatever the case of Basic', () => {
    const expected = { method: 'client_secret_basic', id: 'a-b_c', secret: 'ap_cs_s' };
    expect(read('', basic('a-b_c:ap_cs_s'))).toEqual(expected);
    expect(read('', basic('a%2Db%5Fc:ap%5Fcs%5Fs'))).toEqual(expected);
    expect(read('', basic('a-b_c:ap_cs_s').replace('Basic', 'bAsIc  '))).toEqual(expected);
    expect(read('', basic('a+b:x%3Ay:z'))).toMatchObject({ id: 'a b', secret: 'x:y:z' });
  });

  it('may name the client in the body too, as the Python SDK does, but not another one', () => {
    expect(read('client_id=a', basic('a:s'))).toMatchObject({ id: 'a' });
    expect(refusalOf('client_id=b', basic('a:s'))).toBe('invalid_request: client_id_differs');
  });

  it('must come by one method', () => {
    expect(refusalOf('client_secret=s', basic('a:s'))).toBe('invalid_request: two_methods');
    expect(refusalOf('client_assertion=x', basic('a:s'))).toBe('invalid_request: two_methods');
    expect(refusalOf('client_id=a&client_secret=s&client_assertion=x')).toBe('invalid_request: two_methods');
  });

  it('must come at all, and by a method that exists', () => {
    expect(refusalOf('')).toBe('invalid_client: credentials_missing');
    expect(refusalOf('client_secret=s')).toBe('invalid_client: credentials_missing');
    expect(refusalOf('', 'Bearer abc')).toBe('invalid_client: auth_method_mismatch');
    expect(refusalOf('client_assertion=x&client_assertion_type=y')).toBe('invalid_client: assertion_invalid');
  });

  it('[P1] must not come in two Authorization headers', () => {
    expect(refusalOf('', basic('a:s'), basic('b:s'))).toBe('invalid_request: parameter_repeated');
  });

  it.each([
    ['characters that are not base64', 'Basic YTpz!'],
    ['missing padding', 'Basic YTpzcw'],
    ['the URL alphabet', 'Basic YTpz_w=='],
    ['bits beyond the last byte', 'Basic YTpzc9=='],
    ['no colon', basic('abc')],
    ['no id', basic(':secret')],
    ['broken percent-encoding', basic('a:%zz')],
    ['bytes that are not UTF-8', `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`],
    ['a NUL behind an escape', basic('a:%00')],
    ['nothing', 'Basic '],
    ['two words', `${basic('a:s')} x`],
    ['an over-long secret', basic(`a:${'x'.repeat(4097)}`)],
  ])('[P5] are refused in Basic with %s', (_, header) => {
    expect(refusalOf('', header)).toBe('invalid_request: parameter_malformed');
  });

  it('never have a URL as id beside a secret: its document may not name one', () => {
    expect(refusalOf('', basic('https://app.example/client:s'))).toBe('invalid_client: auth_method_mismatch');
    expect(refusalOf('', basic('https%3A%2F%2Fapp.example%2Fclient:s'))).toBe('invalid_client: auth_method_mismatch');
    expect(refusalOf('client_id=https://app.example/client&client_secret=s')).toBe(
      'invalid_client: auth_method_mismatch',
    );
  });
});
