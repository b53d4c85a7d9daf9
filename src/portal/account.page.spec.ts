import { renderToString } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { accountPage, type AccountPageProps } from './account.page.js';

const since = new Date('2030-03-04T05:06:07Z');
const app = {
  id: 'consent-1',
  clientId: 'c',
  clientName: 'Note Taker',
  resourceId: 'r',
  resourceName: 'Notes',
  scopes: ['notes:read'],
  createdAt: since,
};
const connection: AccountPageProps['connections'][number] = {
  id: 'connection-1',
  userId: 'u',
  providerId: 'p',
  providerSlug: 'acme',
  providerLabel: 'Acme',
  account: 'ada@acme',
  scopes: ['repo:read'],
  status: 'active',
  version: 1,
  createdAt: since,
  updatedAt: since,
  consents: [
    { id: 'cc-1', resourceName: 'Notes', scopes: ['repo:read'], allowedScopes: ['repo:read'], createdAt: since },
  ],
};
const props: AccountPageProps = {
  user: { name: 'Ada', email: 'ada@example.org' },
  apps: [app],
  connections: [connection],
  sessions: [
    { id: 's-1', label: 'Firefox on Linux', since, current: true },
    { id: 's-2', label: 'Safari on iPhone', since, current: false },
  ],
  canChangePassword: true,
  csrf: { account: 'account-token', logout: 'logout-token' },
  href: (path) => `/tenant${path}`,
};

const html = (more: Partial<AccountPageProps> = {}): string => renderToString(accountPage({ ...props, ...more }).body);
const text = (more: Partial<AccountPageProps> = {}): string => html(more).replace(/<[^>]*>/g, '');

describe('the account page', () => {
  it('lists connected apps with resource, scopes, since when and last use', () => {
    expect(text()).toContain('Note Taker at Notes');
    expect(html()).toContain('<code>notes:read</code>');
    expect(text()).toContain('Since 4 March 2030');
    expect(text({ apps: [{ ...app, lastUsedAt: new Date('2030-05-06T00:00:00Z') }] })).toContain(
      'last used 6 May 2030',
    );
    expect(text({ apps: [] })).toContain('No application has access.');
  });

  it('names in each button, for whoever only hears it, what it ends', () => {
    expect(html()).toContain('Withdraw<span class="unseen"> the access of Note Taker to Notes</span>');
    expect(html()).toContain('End<span class="unseen"> the session of Safari on iPhone</span>');
  });

  it('lists connected accounts: whose, what of them, for which servers, and who used them last', () => {
    expect(text()).toContain('Acme ada@acme');
    expect(text()).toContain('Notes may use');
    expect(html()).toContain('Withdraw<span class="unseen"> the access of Notes to Acme</span>');
    expect(html()).toContain('Disconnect<span class="unseen"> Acme</span>');
    const used = {
      ...connection,
      lastUsedAt: new Date('2030-05-06T00:00:00Z'),
      lastUsedAgent: 'An agent',
      lastUsedServer: 'Mail',
    };
    expect(text({ connections: [used] })).toContain('last used 6 May 2030 by An agent through Mail');
    expect(text({ connections: [{ ...connection, consents: [] }] })).toContain('No server may use it.');
    expect(text({ connections: [] })).toContain('No account is connected.');
  });

  it('offers to connect again what upstream no longer accepts', () => {
    const broken = { ...connection, status: 'reconnect_required' as const, resourceUri: 'https://acme.example/api' };
    expect(html()).not.toContain('Connect again');
    expect(html({ connections: [broken] })).toContain('<a href="/tenant/connect/acme">Connect again</a>');
  });

  it('marks this session and offers to end the others only', () => {
    expect(html()).toContain('Firefox on Linux <span class="tag">This browser</span>');
    expect(html().match(/action="\/tenant\/account\/sessions\/end"/g)).toHaveLength(1);
    expect(html({ sessions: props.sessions.slice(0, 1) })).not.toContain('end-others');
  });

  it('offers a new password to local accounts only', () => {
    expect(html().match(/type="password"/g)).toHaveLength(3);
    expect(html({ canChangePassword: false })).not.toContain('type="password"');
  });

  it('puts a token into every form', () => {
    const forms = html().match(/<form.*?<\/form>/gs) ?? [];
    expect(forms).toHaveLength(7);
    expect(forms.filter((form) => !/name="csrf" value="(account|logout)-token"/.test(form))).toEqual([]);
  });

  it('says what was done, and why a password was not changed', () => {
    expect(html({ outcome: 'withdrawn' })).toContain('role="status"><div>The application has no access any more.');
    const failed = html({ passwordProblem: 'Too short.' });
    expect(failed).toContain('id="password-problem" role="alert"');
    expect(failed.match(/aria-describedby="password-problem/g)).toHaveLength(3);
    expect(accountPage({ ...props, passwordProblem: 'x' }).title).toBe('Password not changed');
  });
});
