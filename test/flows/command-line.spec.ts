import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aResource,
  audited,
  introspect,
  postForm,
  refresh,
  tokensOf,
} from '../builders.js';
import { CommandLine, typed } from '../command-line.js';

let app: TestApp;
let cli: CommandLine;
beforeAll(async () => {
  app = await startTestApp();
  cli = new CommandLine(app);
});
afterAll(async () => {
  cli?.close();
  await app?.close();
});

const nobody = '00000000-0000-7000-8000-000000000000';

describe('proofs of a key (DPoP)', () => {
  it('are asked of a client and for a resource from the command line, and no longer', async () => {
    const create = ['client', 'create', '--name', 'Bound', '--redirect-uris', 'https://client.example/callback'];
    const client = await cli.json(...create, '--dpop-bound-access-tokens', 'true');
    expect(client.dpop_bound_access_tokens).toBe(true);
    const update = ['client', 'update', '--id', client.client_id, '--dpop-bound-access-tokens'];
    expect((await cli.json(...update, 'false')).dpop_bound_access_tokens).toBe(false);
    expect(await cli.run([...update, 'yes'])).toMatchObject({ code: 2 });
    const uri = 'https://bound.example/mcp';
    const named = ['--slug', 'bound', '--backend-kind', 'mint', '--uri', uri, '--scopes', 'a'];
    const resource = await cli.json('resource', 'create', ...named, '--dpop-required', 'true');
    expect(resource.dpop_required).toBe(true);
    const off = await cli.json('resource', 'update', '--id', resource.id, '--dpop-required', 'false');
    expect(off.dpop_required).toBe(false);
  });
});

describe('the fix that an error prints', () => {
  it('authserver admin client update --id … --grant-types … lets a refused grant through', async () => {
    const flow = await aFlow(app, { grant_types: ['authorization_code'] });
    const refused = await postForm(
      app,
      '/oauth/token',
      { grant_type: 'refresh_token', refresh_token: 'x' },
      flow.client,
    );
    expect([refused.status, refused.body.error]).toEqual([400, 'unauthorized_client']);
    expect(refused.body.error_description).toBe('this client is not registered for grant_type refresh_token');

    const fix = ['client', 'update', '--id', flow.client.id, '--grant-types', 'authorization_code,refresh_token'];
    expect(await cli.run(fix)).toMatchObject({ code: 0, stderr: '' });

    const { tokens } = await tokensOf(flow);
    expect((await refresh(flow, tokens.refresh_token)).status).toBe(200);
  });

  it('authserver admin client update --id … --redirect-uris … lets a refused redirect through', async () => {
    const flow = await aFlow(app);
    const moved = { ...flow, client: { ...flow.client, redirectUri: 'https://moved.example/cb' } };
    await expect(tokensOf(moved)).rejects.toThrow('not registered for this client');
    await cli.json(
      'client',
      'update',
      '--id',
      flow.client.id,
      '--redirect-uris',
      'https://client.example/callback,https://moved.example/cb',
    );
    expect((await tokensOf(moved)).tokens.token_type).toBe('Bearer');
  });

  it('authserver admin client rotate-secret --id … replaces a secret that is wrong', async () => {
    const client = await aConfidentialClient(app);
    const { client_secret: secret } = await cli.json('client', 'rotate-secret', '--id', client.id, '--overlap', '0');
    const works = async (candidate?: string) =>
      (await postForm(app, '/oauth/introspect', { token: 'x' }, { ...client, secret: candidate })).status;
    expect([await works(client.secret), await works(secret)]).toEqual([401, 200]);
  });

  it('authserver admin client reactivate --id … ends a suspension', async () => {
    const { id } = await aClient(app);
    expect(await cli.json('client', 'suspend', '--id', id)).toEqual({ status: 'suspended' });
    expect(await cli.json('client', 'reactivate', '--id', id)).toEqual({ status: 'active' });
  });

  it('authserver admin dcr set --mode … opens registration', async () => {
    expect(await cli.json('dcr', 'set', '--mode', 'approved_redirects')).toEqual({ mode: 'approved_redirects' });
    expect(await cli.json('dcr', 'set', '--mode', 'open')).toEqual({ mode: 'open' });
    expect(await cli.json('dcr', 'get')).toEqual({ mode: 'open' });
  });
});

describe('client commands', () => {
  it('create with every flag, get, list, and revoke', async () => {
    const created = await cli.json(
      ...typed(`client create --name Notebook --auth-method client_secret_post --scope 'a b'
        --grant-types authorization_code --redirect-uris https://a.example/cb?x=1,2 --redirect-uris https://b.example/cb
        --agent --agent-description Sorts --application-type web --default-resource https://notes.example
        --access-token-ttl 60 --refresh-token-ttl 120 --refresh-max-lifetime 180`),
    );
    expect(created).toMatchObject({
      client_name: 'Notebook',
      client_secret: expect.any(String),
      redirect_uris: ['https://a.example/cb?x=1,2', 'https://b.example/cb'],
      grant_types: ['authorization_code'],
      scope: 'a b',
      agent: true,
      agent_description: 'Sorts',
      access_token_ttl: 60,
    });
    const id = created.client_id;
    expect(await cli.json('client', 'get', '--id', id)).toMatchObject({ id, name: 'Notebook' });
    const listed = await cli.json('client', 'list', '--source', 'admin', '--status', 'active', '--limit', '1000');
    expect(listed.clients).toContainEqual(expect.objectContaining({ id }));
    expect(await cli.json('client', 'revoke', '--id', id)).toEqual({ status: 'revoked' });
  });

  it('create is public unless it says otherwise, and its secret is on standard output only', async () => {
    expect(await cli.json('client', 'create', '--name', 'x', '--redirect-uris', 'https://x.example/cb')).toMatchObject({
      token_endpoint_auth_method: 'none',
    });
    const { stdout, stderr } = await cli.run([
      'client',
      'create',
      '--name',
      'y',
      '--redirect-uris',
      'https://y.example/cb',
      '--auth-method',
      'client_secret_basic',
    ]);
    expect(stdout).toMatch(/client_secret +[A-Za-z0-9_-]{40,}/);
    expect(stderr).toBe('keep client_secret now: only its hash is stored');
  });

  it('update wipes what is given empty, gives back a default, and refuses to change nothing', async () => {
    const { id } = await aClient(app, { scope: 'a', access_token_ttl: 60 });
    const changed = await cli.json(
      'client',
      'update',
      '--id',
      id,
      '--scope',
      '',
      '--access-token-ttl',
      'default',
      '--agent-confirmed',
      'true',
    );
    expect(changed).toMatchObject({ scope: '', agent_confirmed: true });
    expect(changed.access_token_ttl ?? null).toBeNull();
    expect(await cli.run(['client', 'update', '--id', id])).toMatchObject({
      code: 2,
      stderr: 'error: nothing to change is named',
    });
  });

  it('list shows a table, says when there are more, and says when there are none', async () => {
    await Promise.all([aClient(app), aClient(app)]);
    const first = await cli.run(['client', 'list', '--limit', '1']);
    expect(first.stdout.split('\n')).toHaveLength(2);
    expect(first.stdout).toMatch(/^ID +NAME +STATUS +REGISTRATION_SOURCE/);
    const cursor = /--cursor (\S+)$/.exec(first.stderr)?.[1] ?? '';
    const second = await cli.run(['client', 'list', '--limit', '1', '--cursor', cursor]);
    expect(second.stdout.split('\n')[1]?.slice(0, 36)).not.toBe(first.stdout.split('\n')[1]?.slice(0, 36));
    expect(await cli.run(['client', 'list', '--source', 'cimd'])).toEqual({
      code: 0,
      stdout: '',
      stderr: 'no clients',
    });
  });

  it('delete asks for --force while there are active tokens', async () => {
    const flow = await aFlow(app);
    await tokensOf(flow);
    const refused = await cli.run(['client', 'delete', '--id', flow.client.id]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('force=true');
    expect(await cli.json('client', 'delete', '--id', flow.client.id, '--force')).toEqual({ deleted: flow.client.id });
  });
});

describe('resource commands', () => {
  it('create with every flag, get, list, update and delete', async () => {
    const slug = 'calendar';
    const created = await cli.json(
      ...typed(`resource create --slug ${slug} --backend-kind mint --uri https://calendar.example/mcp
        --display-name Calendar --scopes 'read||Read | look' --scopes write
        --policy-allowed-clients a,b --policy-runtime-client-ids c --access-token-ttl 60`),
    );
    expect(created).toMatchObject({
      slug,
      uri: 'https://calendar.example/mcp',
      display_name: 'Calendar',
      scopes: [
        { name: 'read', description: 'Read | look', default: true },
        { name: 'write', description: '', default: true },
      ],
      policy: { exchange: { allowed_client_ids: ['a', 'b'] }, runtime: { client_ids: ['c'] } },
      access_token_ttl: 60,
    });
    const { id } = created;
    expect(await cli.json('resource', 'get', '--id', id)).toEqual(created);
    const table = await cli.run(['resource', 'list', '--backend-kind', 'mint', '--slug', slug]);
    expect(table.stdout).toContain('read, write');
    const cleared = await cli.json(
      'resource',
      'update',
      '--id',
      id,
      '--scopes-clear',
      '--policy-clear',
      '--access-token-ttl',
      'default',
    );
    expect(cleared).toMatchObject({
      scopes: [],
      policy: { exchange: { allowed_client_ids: [] }, runtime: { client_ids: [] } },
    });
    expect(await cli.json('resource', 'delete', '--id', id)).toEqual({ deleted: id });
    expect((await cli.run(['resource', 'get', '--id', id])).code).toBe(1);
  });

  it('scopes come from a file, too', async () => {
    const file = cli.file(
      'scopes.json',
      JSON.stringify([{ name: 'admin', description: 'Everything', default: false }]),
    );
    const { id } = await aResource(app);
    const changed = await cli.json('resource', 'update', '--id', id, '--scopes-file', file);
    expect(changed.scopes).toEqual([{ name: 'admin', description: 'Everything', default: false }]);
  });

  it('runtime-client add, list and remove', async () => {
    const { slug } = await aResource(app);
    const { id } = await aConfidentialClient(app);
    for (let twice = 0; twice < 2; twice++) {
      expect(await cli.json('resource', 'runtime-client', 'add', '--slug', slug, '--client-id', id)).toEqual({
        slug,
        client_id: id,
      });
    }
    expect(await cli.json('resource', 'runtime-client', 'list', '--slug', slug)).toEqual({ client_ids: [id] });
    expect((await cli.run(['resource', 'runtime-client', 'list', '--slug', slug])).stdout).toContain(id);
    await cli.json('resource', 'runtime-client', 'remove', '--slug', slug, '--client-id', id);
    expect(await cli.run(['resource', 'runtime-client', 'list', '--slug', slug])).toMatchObject({
      stderr: 'no client ids',
    });
    const stranger = await cli.run(['resource', 'runtime-client', 'add', '--slug', slug, '--client-id', 'nobody']);
    expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining('not a registered client')]);
  });
});

describe('user commands', () => {
  it('create reads the password from standard input, where the line break of echo is not part of it', async () => {
    const args = [
      'user',
      'create',
      '--email',
      'cli@people.example',
      '--name',
      'Cli',
      '--role',
      'admin',
      '--password',
      '-',
      '--json',
    ];
    const { code, stdout } = await cli.run(args, { stdin: 'twelve chars\n' });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ email: 'cli@people.example', role: 'admin', status: 'active' });
    const short = await cli.run(args, { stdin: 'eleven char\n' });
    expect([short.code, short.stderr]).toEqual([1, expect.stringMatching(/12/)]);
    expect(await cli.run(args, { stdin: '\n' })).toMatchObject({ code: 2 });
  });

  it('a password as an argument is refused and not repeated', async () => {
    for (const args of [
      ['user', 'create', '--email', 'a@b.example'],
      ['user', 'set-password', '--id', nobody],
    ]) {
      const { code, stdout, stderr } = await cli.run([...args, '--password', 'a secret password']);
      expect(code).toBe(2);
      expect(stdout + stderr).not.toContain('a secret password');
      expect(stderr).toContain('--password -');
    }
  });

  it('update, set-password, disable, enable, list, get, force-logout and delete', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const { id } = flow.user;
    expect(await cli.json('user', 'update', '--id', id, '--name', 'Renamed')).toMatchObject({ id, name: 'Renamed' });
    expect(await cli.run(['user', 'update', '--id', id])).toMatchObject({ code: 2 });
    expect(
      await cli.run(['user', 'set-password', '--id', id, '--password', '-'], { stdin: 'a brand new password' }),
    ).toMatchObject({ code: 0 });
    expect(await cli.json('user', 'disable', '--id', id)).toEqual({ status: 'disabled' });
    expect(await cli.json('user', 'enable', '--id', id)).toEqual({ status: 'active' });
    expect(await cli.json('user', 'get', '--id', id)).toMatchObject({ id, status: 'active' });
    expect((await cli.json('user', 'list', '--limit', '1000')).users).toContainEqual(expect.objectContaining({ id }));
    const logout = await cli.run(['user', 'force-logout', '--id', id]);
    expect(logout).toMatchObject({ code: 0, stdout: '1 token families revoked' });
    expect(await introspect(app, tokens.access_token, flow.client)).toEqual({ active: false });
    expect(await cli.json('user', 'delete', '--id', id, '--force')).toEqual({ deleted: id });
  });
});

describe('the other nouns', () => {
  it('key list, rotate and revoke', async () => {
    const { kid } = await cli.json('key', 'rotate');
    const later = await cli.json('key', 'rotate', '--activate-after', '10m');
    expect((await cli.json('key', 'list')).keys.map((key: { kid: string }) => key.kid)).toEqual(
      expect.arrayContaining([kid, later.kid]),
    );
    expect(await cli.json('key', 'revoke', '--kid', kid)).toEqual({ revoked: kid });
    expect(await cli.run(['key', 'revoke', '--kid', kid])).toMatchObject({ code: 1 });
    expect((await cli.run(['key', 'list'])).stdout).toMatch(/^KID +ALG +USE +STATUS/);
  });

  it('issuance list, get and revoke', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const { issuances } = await cli.json(
      'issuance',
      'list',
      '--client',
      flow.client.id,
      '--user',
      flow.user.id,
      '--since',
      '1h',
      '--limit',
      '5',
    );
    expect(issuances).toHaveLength(1);
    const id = issuances[0].jti;
    expect(await cli.json('issuance', 'get', '--id', id)).toEqual(issuances[0]);
    expect(await cli.json('issuance', 'revoke', '--id', id)).toEqual({ revoked: id });
    expect(await introspect(app, tokens.access_token, flow.client)).toEqual({ active: false });
    expect(await cli.run(['issuance', 'list'])).toMatchObject({ code: 2 });
  });

  it('grant list-user-grants and revoke-consent', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const { consent_grants: consents } = await cli.json('grant', 'list-user-grants', '--user', flow.user.id);
    expect(consents).toEqual([expect.objectContaining({ client_id: flow.client.id })]);
    await cli.json('grant', 'revoke-consent', '--id', consents[0].id);
    expect(await introspect(app, tokens.access_token, flow.client)).toEqual({ active: false });
  });

  it('audit verify says whether sealed hours are what they were, and ends with 1 when they are not', async () => {
    const own = await startTestApp();
    const its = new CommandLine(own);
    await its.json('client', 'create', '--name', 'One', '--redirect-uris', 'https://client.example/callback');
    own.clock.advance(2 * 3600);
    await its.json('job', 'run', '--name', 'audit-seal');
    await expect.poll(async () => (await its.json('audit', 'verify')).hours_verified).toBeGreaterThan(0);
    const { problems, last_seal } = await its.json('audit', 'verify');
    expect([problems, last_seal]).toEqual([[], expect.stringMatching(/^[0-9a-f]{64}$/)]);
    await own.sql(`update audit_events set actor_id = 'nobody'`);
    const told = await its.run(['audit', 'verify']);
    expect(told).toMatchObject({ code: 1, stdout: expect.stringContaining('changed') });
    expect(await its.run(['job', 'run', '--name', 'upstream-revocation'])).toMatchObject({ code: 1 });
    its.close();
    await own.close();
  });

  it('audit list, and what the command line did is in it like everything else', async () => {
    const { id } = await aClient(app);
    await cli.json('client', 'suspend', '--id', id);
    const since = new Date(app.clock.now().getTime() - 3_600_000).toISOString();
    const { events } = await cli.json(
      'audit',
      'list',
      '--action',
      'client.suspended',
      '--client-id',
      id,
      '--since',
      since,
      '--limit',
      '5',
    );
    expect(events).toEqual([expect.objectContaining({ action: 'client.suspended', client_id: id })]);
    expect(await audited(app, 'client.suspended')).toContainEqual(expect.objectContaining({ client_id: id }));
    expect((await cli.run(['audit', 'list', '--client-id', id])).stdout).toMatch(/^CREATED_AT +ACTION/);
  });
});
