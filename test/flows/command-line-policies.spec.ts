import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aConfidentialClient, aResource } from '../builders.js';
import { CommandLine, typed } from '../command-line.js';
import { allowed, exchange, EXCHANGE, outcome, startExchangingApp, started } from '../exchanges.js';

let app: TestApp;
let cli: CommandLine;
beforeAll(async () => {
  app = await startExchangingApp();
  cli = new CommandLine(app);
});
afterAll(async () => {
  cli?.close();
  await app?.close();
});

const run = (line: string) => cli.run(typed(line));
const json = (line: string) => cli.json(...typed(line));
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

describe('--grant-types', () => {
  it.each([
    ['token-exchange', [EXCHANGE]],
    [EXCHANGE, [EXCHANGE]],
    ['client_credentials,jwt-bearer', ['client_credentials', JWT_BEARER]],
  ])('takes %s: the answer has the names of the wire', async (named, types) => {
    const created = await json(`client create --name A --auth-method client_secret_basic --grant-types ${named}`);
    expect(created.grant_types).toEqual(types);
    const update = `client update --id ${created.client_id} --grant-types client_credentials --grant-types ${named}`;
    expect((await json(update)).grant_types).toEqual(expect.arrayContaining(['client_credentials', ...types]));
  });

  it('takes no short name that is no grant’s, and the server knows none', async () => {
    const create = 'client create --name A --auth-method client_secret_basic --grant-types';
    for (const named of ['exchange', 'urn:token-exchange'])
      expect(await run(`${create} ${named}`)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('grant_types may contain'),
      });
    const draft = { client_name: 'A', token_endpoint_auth_method: 'client_secret_basic' };
    expect((await app.admin('POST', '/admin/clients', { ...draft, grant_types: ['token-exchange'] })).status).toBe(400);
  });
});

describe('the lists of a resource’s policy', () => {
  it('allowed-client add lets a server exchange the token it was shown, and remove ends that', async () => {
    const at = await started(app);
    const target = await aResource(app);
    await allowed(at, target);
    const { client_id: id, client_secret: secret } = await json(
      'client create --name Server --auth-method client_secret_basic --grant-types token-exchange',
    );
    const asked = async () =>
      outcome(await exchange(app, { ...at.client, id, secret }, at.token, { resource: target.uri }));
    expect(await asked()).toEqual([403, 'access_denied']);

    const verb = (name: string) => `resource allowed-client ${name} --slug ${target.slug}`;
    for (const _ of ['once', 'twice'])
      expect(await json(`${verb('add')} --client-id ${id}`)).toEqual({ slug: target.slug, client_id: id });
    expect(await json(verb('list'))).toEqual({ allowed_client_ids: [id] });
    expect((await run(verb('list'))).stdout).toContain(id);
    expect(await asked()).toEqual([200, expect.stringContaining('notes:read')]);

    const { id: other } = await aConfidentialClient(app);
    expect((await run(`${verb('add')} --client-id ${other}`)).stdout).toBe(
      `${other} may exchange tokens for ${target.slug}`,
    );
    expect(await run(`${verb('remove')} --client-id ${id}`)).toEqual({
      code: 0,
      stdout: `${id} is not listed at ${target.slug}`,
      stderr: '',
    });
    expect(await asked()).toEqual([403, 'access_denied']);
    expect((await run(`${verb('remove')} --client-id ${other}`)).stderr).toContain('lists nobody now');
    expect((await run(verb('list'))).stderr).toBe('no allowed client ids');
  });

  it('allowed-return-url adds, lists and removes what stands in a query of its own', async () => {
    const { slug } = await aResource(app);
    const verb = (name: string) => `resource allowed-return-url ${name} --slug ${slug}`;
    const url = 'https://app.example/back?from=a&to=b,c';
    expect(await json(`${verb('add')} --url ${url}`)).toEqual({ slug, url });
    expect((await run(`${verb('add')} --url https://app.example/other`)).stdout).toBe(
      `connect pages of ${slug} may return to https://app.example/other`,
    );
    expect((await run(`${verb('remove')} --url https://app.example/other`)).code).toBe(0);
    expect(await json(verb('list'))).toEqual({ allowed_return_urls: [url] });
    expect(await json(`${verb('remove')} --url ${url}`)).toEqual({ slug, url });
    expect((await run(verb('list'))).stderr).toBe('no allowed return urls');
  });

  it.each([
    ['without a slug', 'allowed-client list', 2],
    ['without a client', 'allowed-client add --slug SLUG', 2],
    ['with a client that nobody registered', 'allowed-client add --slug SLUG --client-id nobody', 1],
    ['with a resource that is not there', 'allowed-client list --slug nothing', 1],
    ['with a URL that is none', 'allowed-return-url add --slug SLUG --url app.example', 1],
    ['without a URL', 'allowed-return-url remove --slug SLUG', 2],
  ])('%s: exit code', async (_, line, code) => {
    const { slug } = await aResource(app);
    expect((await run(`resource ${line.replace('SLUG', slug)}`)).code).toBe(code);
  });
});
