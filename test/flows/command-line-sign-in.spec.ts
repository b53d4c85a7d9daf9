import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aResource } from '../builders.js';
import { CommandLine, typed } from '../command-line.js';
import { HttpBrowser } from '../http-browser.js';
import { enterAt, startSignInSetting, type SignInSetting } from '../sign-in-providers.js';

let at: SignInSetting;
let cli: CommandLine;
beforeAll(async () => {
  const yaml = `oidc: { providers: [{ slug: fixed, issuer: 'https://login.fixed.example', client_id: us }] }`;
  at = await startSignInSetting({ yaml });
  cli = new CommandLine(at.app);
});
afterAll(async () => {
  cli?.close();
  await at?.close();
});

const run = (line: string, stdin?: string) => cli.run(typed(line), { stdin });
const json = (line: string) => cli.json(...typed(line));

describe('the commands for sign-in providers', () => {
  it('let people sign in, with a secret from standard input that nobody is shown again', async () => {
    const secret = at.client.clientSecret;
    const line = `sign-in-provider create --slug acme --display-name 'Acme Inc' --issuer ${at.acme.origin} --client-id ${at.client.clientId}`;
    const created = await run(`${line} --hosted-domains corp.example,other.example --client-secret -`, `${secret}\n`);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(created.stdout).not.toContain(secret);
    expect((await enterAt(at, new HttpBrowser(), 'ada')).location).toBe(`${at.app.issuer}/account`);
    expect(await json('sign-in-provider get --slug acme')).toMatchObject({
      display_name: 'Acme Inc',
      hosted_domains: ['corp.example', 'other.example'],
      source: 'api',
    });
  });

  it('list those of the configuration, too', async () => {
    const { sign_in_providers: all } = await json('sign-in-provider list');
    expect(all.map(({ slug, source }: any) => [slug, source])).toEqual([
      ['fixed', 'config'],
      ['acme', 'api'],
    ]);
    expect((await run('sign-in-provider list')).stdout).toMatch(/^SLUG\s+DISPLAY_NAME\s+ISSUER\s+CLIENT_ID/);
  });

  it('change what is named, switch off, and take values away', async () => {
    const changed = await json(
      `sign-in-provider update --slug acme --enabled false --trust-email true --display-name ''`,
    );
    expect(changed).toMatchObject({
      enabled: false,
      trust_email: true,
      hosted_domains: ['corp.example', 'other.example'],
    });
    expect(changed).not.toHaveProperty('display_name');
    const reference = await json('sign-in-provider update --slug acme --client-secret-ref AUTHPLANE_VAULT_ACME');
    expect(reference).toMatchObject({ client_secret_ref: 'AUTHPLANE_VAULT_ACME', enabled: false });
  });

  it('delete', async () => {
    expect((await run('sign-in-provider delete --slug acme')).code).toBe(1);
    expect((await run('sign-in-provider delete --slug acme --force')).stdout).toBe('sign-in provider acme is deleted');
    expect((await run('sign-in-provider get --slug acme')).code).toBe(1);
  });

  it.each<[line: string, stdin: string, said: string]>([
    ['sign-in-provider create --slug a --client-secret planted', '', 'a client secret is not given as an argument'],
    ['sign-in-provider create --slug a --client-secret -', '\n', 'standard input held no client secret'],
    ['sign-in-provider update --slug a', '', 'nothing to change is named'],
    ['sign-in-provider update --slug a --enabled perhaps', '', 'true or false is needed'],
    ['group-scope set --provider fixed --group a --resource b', '', '--scopes'],
  ])('refuse "%s"', async (line, stdin, said) => {
    const { code, stderr } = await run(line, stdin);
    expect([code, stderr]).toEqual([2, expect.stringContaining(said)]);
    expect(stderr).not.toContain('planted');
  });
});

describe('the commands for group scopes', () => {
  it('say what a group gives, show it, change it and take it away', async () => {
    const { slug } = await aResource(at.app);
    const line = `group-scope set --provider fixed --group 'CN=Staff, OU=Acme' --resource ${slug}`;
    const made = await json(`${line} --scopes notes:read`);
    expect(made).toMatchObject({
      provider: 'fixed',
      group: 'CN=Staff, OU=Acme',
      resource: slug,
      scopes: ['notes:read'],
    });
    const changed = await json(`${line} --scopes notes:read,notes:write`);
    expect(changed).toMatchObject({ id: made.id, scopes: ['notes:read', 'notes:write'] });
    expect((await json(`group-scope list --provider fixed --resource ${slug}`)).group_scopes).toEqual([changed]);
    expect((await run('group-scope list --provider other')).stderr).toBe('no group scopes');
    expect((await run(`group-scope delete --id ${made.id}`)).stdout).toBe(`group scope ${made.id} is deleted`);
    expect((await run(`group-scope delete --id ${made.id}`)).code).toBe(1);
  });
});
