import { renderToString } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { loginPage, type LoginPageProps } from './login.page.js';

const ways = { localLogin: true, providers: [] };

const html = (props: Partial<LoginPageProps> = {}): string =>
  renderToString(loginPage({ ...ways, action: '/login', csrf: 'token', ...props }).body);

describe('the sign-in page', () => {
  it('works with password managers and screen readers', () => {
    const page = html();
    expect(page).toContain('<label for="email">E-mail address</label>');
    expect(page).toMatch(/<input id="email" [^>]*type="email" autocomplete="username"/);
    expect(page).toMatch(/<input id="password" [^>]*type="password" autocomplete="current-password"/);
    expect(page).not.toContain('aria-invalid');
  });

  it('says that an application asked only when one did, and carries its request on', () => {
    expect(html()).not.toContain('application');
    expect(html()).not.toContain('name="request"');
    expect(html({ request: 'v1..abc' })).toContain('<input type="hidden" name="request" value="v1..abc"/>');
    expect(html({ request: 'v1..abc' })).toContain('An application asked for access');
  });

  it('ties the one text of a refusal to both fields and puts the cursor where it helps', () => {
    const page = html({ problem: 'refused', email: 'ada@example.org' });
    expect(page).toContain('<div class="notice bad" id="problem" role="alert">');
    expect(page.match(/aria-invalid="true" aria-describedby="problem"/g)).toHaveLength(2);
    expect(page).toContain('value="ada@example.org"');
    expect(page).toMatch(/<input id="password"[^>]* autofocus/);
    expect(page).not.toMatch(/<input id="email"[^>]* autofocus/);
  });

  it('never repeats a password', () => {
    expect(html({ problem: 'refused', email: 'a' })).not.toMatch(/type="password"[^>]* value=/);
  });

  it('says how long a lock lasts', () => {
    expect(html({ problem: 'locked', retryAfterSeconds: 840 })).toContain('Please try again in 14 minutes.');
  });

  it('tells in the title of the window that it did not work', () => {
    expect(loginPage({ ...ways, action: '/', csrf: 'c' }).title).toBe('Sign in');
    expect(loginPage({ ...ways, action: '/', csrf: 'c', problem: 'refused' }).title).toBe('Not signed in');
  });

  it('has a button for each provider, which carries the request on, and no form where there are no passwords', () => {
    const providers = [{ name: 'Acme <&>', href: '/oidc/acme/start' }];
    const page = html({ providers, localLogin: false, request: 'v1..abc' });
    expect(page).toContain('action="/oidc/acme/start"');
    expect(page).toContain('Continue with Acme &lt;&amp;>');
    expect(page).toContain('<input type="hidden" name="request" value="v1..abc"/>');
    expect(page).not.toContain('password');
  });

  it('escapes the address that was typed', () => {
    expect(html({ problem: 'refused', email: '"><script>alert(1)</script>' })).not.toContain('<script>');
  });
});
