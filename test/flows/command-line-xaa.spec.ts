import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aUser } from '../builders.js';
import { CommandLine, typed } from '../command-line.js';
import { aStubIdp, type StubIdp } from '../idp.js';

let app: TestApp;
let idp: StubIdp;
let cli: CommandLine;
beforeAll(async () => {
  [app, idp] = await Promise.all([startTestApp(), aStubIdp()]);
  cli = new CommandLine(app);
});
afterAll(async () => {
  cli?.close();
  await app?.close();
  await idp?.close();
});

const run = (line: string) => cli.run(typed(line));
const json = (line: string) => cli.json(...typed(line));

describe('the commands for assertions', () => {
  it('trust an issuer, change it, ask for its keys and trust it no more', async () => {
    const created = await json(`idp create --name Company --issuer ${idp.issuer}`);
    expect(created).toMatchObject({ kind: 'id_jag', audience: app.issuer, enabled: true, replay: 'single_use' });
    expect((await json('idp list')).idps).toEqual([created]);
    const changed = await json(`idp update --id ${created.id} --enabled false --replay reusable_until_exp`);
    expect(changed).toMatchObject({ name: 'Company', enabled: false, replay: 'reusable_until_exp' });
    expect(await json(`idp get --id ${created.id}`)).toEqual(changed);
    expect(await json(`idp refresh-keys --id ${created.id}`)).toEqual({ kids: [idp.key.kid] });
    expect((await run(`idp delete --id ${created.id}`)).stdout).toBe(`issuer ${created.id} is deleted`);
    expect((await run(`idp get --id ${created.id}`)).code).toBe(1);
  });

  it('make policies and mappings, show them and take them away', async () => {
    const { id: idpId } = await json(`idp create --name Company --issuer ${idp.issuer}/two`);
    const policy = await json(
      `xaa policy create --idp-id ${idpId} --name Notes --client-ids a,b --scopes notes:read --resources https://a.example/mcp ` +
        '--groups staff --condition department=finance --subject-by aud_sub,email --expires-at 2031-01-01T00:00:00Z',
    );
    expect(policy).toMatchObject({
      client_ids: ['a', 'b'],
      conditions: { department: 'finance' },
      subject_by: ['aud_sub', 'email'],
      expires_at: '2031-01-01T00:00:00.000Z',
    });
    expect((await json(`xaa policy list --idp-id ${idpId}`)).policies).toEqual([policy]);
    expect(await json(`xaa policy update --id ${policy.id} --enabled false`)).toMatchObject({ enabled: false });
    expect((await json(`xaa policy get --id ${policy.id}`)).scopes).toEqual(['notes:read']);
    expect((await run(`xaa policy delete --id ${policy.id}`)).code).toBe(0);

    const user = await aUser(app);
    const mapping = await json(`xaa mapping create --idp-id ${idpId} --subject ada --user-id ${user.id}`);
    expect((await json(`xaa mapping list --idp-id ${idpId}`)).subject_mappings).toEqual([mapping]);
    expect((await run(`xaa mapping delete --id ${mapping.id}`)).code).toBe(0);
    expect((await run('xaa mapping list')).stderr).toBe('no subject mappings');
  });

  it('let a client have assertions for another server, change that and end it', async () => {
    const create =
      'xaa audience create --audience https://as.example --client-id a --audience-client-id b ' +
      '--resources https://as.example/mcp --scopes notes:read --include-email true';
    const created = await json(create);
    expect(created).toMatchObject({
      audience_client_id: 'b',
      scopes: ['notes:read'],
      include_email: true,
      enabled: true,
    });
    expect((await run(create)).code).toBe(1);
    expect((await json('xaa audience list --client-id a')).audiences).toEqual([created]);
    expect((await json('xaa audience list --client-id b')).audiences).toEqual([]);
    const changed = await json(`xaa audience update --id ${created.id} --scopes '' --enabled false`);
    expect(changed).toMatchObject({ resources: ['https://as.example/mcp'], scopes: [], enabled: false });
    expect(await json(`xaa audience get --id ${created.id}`)).toEqual(changed);
    expect((await run(`xaa audience delete --id ${created.id}`)).stdout).toBe(`audience ${created.id} is deleted`);
  });

  it.each([
    ['without an issuer', 'idp create --name a', 2],
    ['with our own issuer', 'idp create --name a --issuer SELF', 1],
    ['with an issuer that is no URL', 'idp create --name a --issuer company', 1],
    ['with nothing to change', 'idp update --id 00000000-0000-7000-8000-000000000000', 2],
    ['with a policy of nobody', 'xaa policy create --idp-id 00000000-0000-7000-8000-000000000000 --name a', 1],
    ['with a condition that is none', 'xaa policy create --idp-id x --name a --condition finance', 2],
    ['with a policy and nothing to change', 'xaa policy update --id x', 2],
    ['with an audience and nothing to change', 'xaa audience update --id x', 2],
    ['with an audience without resources', 'xaa audience create --audience a --client-id b --audience-client-id c', 2],
    ['with an audience that is not there', 'xaa audience delete --id 00000000-0000-7000-8000-000000000000', 1],
    ['with a mapping that is not there', 'xaa mapping delete --id 00000000-0000-7000-8000-000000000000', 1],
  ])('%s: exit code', async (_, line, code) => {
    expect((await run(line.replace('SELF', `${app.issuer}/`))).code).toBe(code);
  });
});
