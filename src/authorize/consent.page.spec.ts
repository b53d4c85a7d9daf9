import { renderToString } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { consentPage, type ConsentPageProps } from './consent.page.js';

const props: ConsentPageProps = {
  brand: { name: 'Example ID' },
  client: { name: 'Note Taker', id: 'a-client', selfRegistered: false, agent: false },
  user: { email: 'ada@example.org', name: 'Ada' },
  resource: { name: 'Notes', uri: 'https://notes.example/mcp' },
  redirect: { host: 'client.example', kind: 'https' },
  scopes: [
    { name: 'notes:read', description: 'Read your notes', ticked: true, already: true },
    { name: 'notes:write', description: '', ticked: false, already: false },
  ],
  csrf: 'a-token',
  request: 'sealed',
  action: '/consent',
  loopbackOnly: false,
  logoutCsrf: 'logout-token',
};

const html = (more: Partial<ConsentPageProps> = {}): string => renderToString(consentPage({ ...props, ...more }).body);
const text = (more: Partial<ConsentPageProps> = {}): string => html(more).replace(/<[^>]*>/g, '');

describe('the consent page', () => {
  it('says who asks for what, and as whom one is signed in', () => {
    expect(text()).toContain('Allow Note Taker to use Notes?');
    expect(text()).toContain('https://notes.example/mcp');
    expect(text()).toContain('Signed in to Example ID as ada@example.org.');
    expect(text({ user: { name: 'Ada' } })).toContain('Signed in to Example ID as Ada.');
  });

  it('[A22] shows where one will be sent in a block of its own, above the buttons', () => {
    const page = html();
    expect(page).toContain('<strong class="host">client.example</strong>');
    expect(page.indexOf('class="host"')).toBeLessThan(page.indexOf('value="deny"'));
  });

  it('marks and explains a program on this computer, and an application on this device', () => {
    expect(html({ redirect: { host: '127.0.0.1:7777', kind: 'loopback' } })).toContain('class="notice care"');
    expect(text({ redirect: { host: '127.0.0.1:7777', kind: 'loopback' } })).toContain('A program on this computer.');
    expect(text({ redirect: { host: 'com.example.app', kind: 'private-use' } })).toContain(
      'An application on this device',
    );
    expect(html()).not.toContain('class="notice care"');
  });

  it('[A21] warns when any program here could claim the name of a metadata document', () => {
    const client = { ...props.client, host: 'agent.example' };
    expect(text({ client, loopbackOnly: true })).toContain('Any program on this computer can claim this name');
    expect(text({ client })).not.toContain('can claim this name');
  });

  it('shows the host of a client id that is a URL, and says of the others that nobody checked their name', () => {
    expect(text({ client: { ...props.client, host: 'agent.example' } })).toContain('Published by agent.example');
    expect(text({ client: { ...props.client, selfRegistered: true } })).toContain(
      'It chose its own name, and nobody checked it.',
    );
    expect(text()).not.toMatch(/Published by|nobody checked/);
  });

  it('marks an agent', () => {
    expect(text({ client: { ...props.client, agent: true } })).toContain('AI agent');
  });

  it('gives every scope a labelled tick box of its own name, ticked as asked, with its description', () => {
    const page = html();
    expect(page).toMatch(/<label><input type="checkbox" name="scope:notes:read" value="on" checked\/>/);
    expect(page).toMatch(/<label><input type="checkbox" name="scope:notes:write" value="on"\/>/);
    expect(text()).toContain('Read your notesnotes:read · already allowed');
    expect(page).toContain('<legend>It may</legend>');
  });

  it('says so when a resource declares no scopes', () => {
    expect(html({ scopes: [] })).not.toContain('checkbox');
    expect(text({ scopes: [] })).toContain('Notes does not divide its access into parts');
  });

  it('submits a denial when Enter is pressed: Deny is the first button of its form', () => {
    const form = /<form method="post" action="\/consent".*?<\/form>/s.exec(html())?.[0] ?? '';
    expect([...form.matchAll(/<button[^>]*value="(\w+)"/g)].map(([, value]) => value)).toEqual(['deny', 'allow']);
    expect(form).toContain('<input type="hidden" name="csrf" value="a-token"/>');
    expect(form).toContain('<input type="hidden" name="request" value="sealed"/>');
  });

  it('lets one go on as somebody else, with the same request', () => {
    const form = /<form method="post" action="\/logout".*?<\/form>/s.exec(html())?.[0] ?? '';
    expect(form).toContain('<input type="hidden" name="csrf" value="logout-token"/>');
    expect(form).toContain('<input type="hidden" name="request" value="sealed"/>');
    expect(form).toContain('Not you?');
  });

  it('shows names that others chose as text, isolated from the direction of the text around', () => {
    const evil = '<img src=x onerror=alert(1)>\u202e';
    const page = html({
      client: { ...props.client, name: evil },
      resource: { name: evil, uri: 'https://x.example/"><script>' },
      user: { name: evil, email: evil },
      scopes: [{ name: evil, description: evil, ticked: true, already: false }],
    });
    expect(page).not.toMatch(/<img|<script/);
    expect(page.match(/<bdi>&lt;img/g)?.length).toBeGreaterThanOrEqual(3);
  });
});
