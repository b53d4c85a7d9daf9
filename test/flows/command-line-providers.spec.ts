import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { CommandLine, typed } from '../command-line.js';
import { encryptionAtRest } from '../upstream/builders.js';

let app: TestApp;
let cli: CommandLine;
beforeAll(async () => {
  app = await startTestApp({ settings: { ...encryptionAtRest, VAULT_GITHUB: 'secret' } });
  cli = new CommandLine(app);
});
afterAll(async () => {
  cli?.close();
  await app?.close();
});

const run = (line: string) => cli.run(typed(line));
const json = (line: string) => cli.json(...typed(line));

describe('provider commands', () => {
  it('create with a preset and no file, get, list, update and delete', async () => {
    const created = await json(
      'provider create --slug github --display-name GitHub --preset github --client-id Iv1 --client-secret-ref AUTHPLANE_VAULT_GITHUB',
    );
    const config = { preset: 'github', client_id: 'Iv1', client_secret_ref: 'AUTHPLANE_VAULT_GITHUB' };
    expect(created).toMatchObject({ slug: 'github', protocol: 'oauth', config_data: config });
    expect(await json(`provider get --id ${created.id}`)).toEqual(created);
    expect((await json('provider list --protocol oauth')).providers).toEqual([created]);
    expect((await run('provider list')).stdout).toContain('github');
    expect((await run('provider list --slug nobody')).stderr).toBe('no providers');
    const changed = await json(`provider update --id ${created.id} --display-name Hub`);
    expect(changed).toMatchObject({ display_name: 'Hub', config_data: config });
    expect((await run(`provider delete --id ${created.id}`)).stdout).toBe(`provider ${created.id} is deleted`);
    expect((await run(`provider get --id ${created.id}`)).code).toBe(1);
  });

  it('warn of a variable that is not set, at the making and at a change: in the answer, on standard error, in the log', async () => {
    const line = 'provider create --slug unset --preset github --client-id Iv1 --client-secret-ref CONNECTOR_NOT_SET';
    const { code, stderr, stdout } = await run(`${line} --json`);
    const warning = 'the variable CONNECTOR_NOT_SET is not set';
    const { id, warnings } = JSON.parse(stdout);
    expect([code, stderr, warnings]).toEqual([0, `warning: ${warning}`, [warning]]);
    expect(app.logged.some((logged) => logged.includes('unset') && logged.includes(warning))).toBe(true);
    expect((await json(`provider update --id ${id} --display-name Other`)).warnings).toEqual([warning]);
    const set = '--preset github --client-id Iv1 --client-secret-ref AUTHPLANE_VAULT_GITHUB';
    expect(await json(`provider update --id ${id} ${set}`)).not.toHaveProperty('warnings');
    await run(`provider delete --id ${id}`);
  });

  it('a file says what flags do not; a secret in it is sealed and not shown', async () => {
    const file = cli.file('acme.json', '{"preset":"linear","client_id":"us","client_secret":"planted-in-a-file"}');
    const { code, stdout } = await run(`provider create --slug linear --config-data ${file} --json`);
    expect([code, JSON.parse(stdout).config_data]).toEqual([0, { preset: 'linear', client_id: 'us' }]);
    expect(JSON.stringify(await app.sql('select * from broker_providers'))).not.toContain('planted-in-a-file');
  });

  it.each([
    ['without a slug', 'provider create', 2],
    ['with a file that is a list', 'provider create --slug a --config-data LIST', 2],
    ['with nothing to change', 'provider update --id 00000000-0000-7000-8000-000000000000', 2],
    ['with a secret as an argument', 'provider create --slug a --client-secret x', 2],
    ['that the server refuses', 'provider create --slug a --preset github', 1],
  ])('%s: exit code', async (_, line, code) => {
    const list = cli.file('list.json', '[]');
    expect((await run(line.replace('LIST', list))).code).toBe(code);
  });
});

describe('resource commands', () => {
  it('make a broker resource by the provider’s slug or id, and list those of a provider', async () => {
    const provider = await json(
      'provider create --slug hub --preset github --client-id Iv1 --client-secret-ref AUTHPLANE_VAULT_GITHUB',
    );
    const create = (slug: string, named: string) =>
      json(
        `resource create --slug ${slug} --backend-kind broker --uri https://${slug}.example/ --broker-provider ${named} --scopes 'read|repo|Read code'`,
      );
    const one = await create('hub-one', 'hub');
    const other = await create('hub-other', provider.id);
    expect([one, other].map((each) => each.broker_provider_id)).toEqual([provider.id, provider.id]);
    expect(one.scopes).toEqual([{ name: 'read', upstream: 'repo', description: 'Read code', default: true }]);
    for (const named of ['hub', provider.id])
      expect((await json(`resource list --broker-provider ${named}`)).resources).toEqual([one, other]);
    expect((await json('resource list --broker-provider nobody')).resources).toEqual([]);
    const mint = await json(`resource update --id ${one.id} --backend-kind mint --broker-provider none`);
    expect(mint).toMatchObject({ backend_kind: 'mint', broker_provider_id: '' });
  });
});
