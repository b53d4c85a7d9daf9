import type { Request, Response } from 'express';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config/load-config.js';
import { Cookies } from './cookies.js';
import { FlowCookie } from './flow-cookie.js';

function cookiesOf(issuer: string): Cookies {
  const env = {
    AUTHPLANE_SERVER_ISSUER: issuer,
    AUTHPLANE_SESSION_SECRET: 'qN7mZ2xK9vR4tB8wL5cJ1hG6fD3sA0pY',
    AUTHPLANE_ADMIN_API_KEY: 'Zt6rW1qX8nB3kM5vC9jL2hG7',
  };
  return new Cookies(loadConfig({ env, cwd: '/nowhere' }));
}

const http = cookiesOf('http://localhost:9000');
const from = (cookie?: string): Request => ({ headers: { cookie } }) as unknown as Request;

function answer(): { res: Response; lines: string[] } {
  const lines: string[] = [];
  return { lines, res: { append: (_: string, line: string) => lines.push(line) } as unknown as Response };
}

describe('cookies', () => {
  it('have the __Host- prefix, and all it stands for, on https', () => {
    const { res, lines } = answer();
    cookiesOf('https://auth.example.com/tenant').write(res, 'authserver_session', 'v', 60);
    expect(lines).toEqual(['__Host-authserver_session=v; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax']);
  });

  it('carry the port on http, since browsers keep one jar for all ports', () => {
    const { res, lines } = answer();
    http.write(res, 'authserver_session', 'v', 60);
    expect(lines).toEqual(['authserver_session_9000=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax']);
    expect(cookiesOf('http://localhost').nameOf('x')).toBe('x_80');
  });

  it('are cleared with the attributes they were set with', () => {
    const { res, lines } = answer();
    http.clear(res, 'authserver_session');
    expect(lines).toEqual(['authserver_session_9000=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax']);
  });

  it('are read by their full name only', () => {
    expect(
      http.read(
        from('authserver_session=a; authserver_session_9001=b; authserver_session_9000=c'),
        'authserver_session',
      ),
    ).toBe('c');
    expect(http.read(from(), 'authserver_session')).toBeUndefined();
  });
});

describe('the flow cookie', () => {
  const flow = new FlowCookie(http);

  it('is made once, lasts until the browser closes, and is kept from then on', () => {
    const { res, lines } = answer();
    const value = flow.ensure(from(), res);
    expect(value).toMatch(/^[\w-]{43}$/);
    expect(lines).toEqual([`authserver_flow_9000=${value}; Path=/; HttpOnly; SameSite=Lax`]);
    expect(flow.ensure(from(`authserver_flow_9000=${value}`), res)).toBe(value);
    expect(lines).toHaveLength(1);
  });

  it('is not taken from a cookie of another form', () => {
    expect(flow.read(from('authserver_flow_9000=short'))).toBeUndefined();
    expect(() => flow.require(from('authserver_flow_9000=short'))).toThrow('access_denied: flow_cookie_mismatch');
  });
});
