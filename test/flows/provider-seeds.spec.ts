import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { encryptionAtRest } from '../upstream/builders.js';

const SECRET = 'planted-in-yaml-5f1c';
const yaml = `
broker_providers:
  - slug: acme
    display_name: Acme
    config_data:
      client_id: us
      client_secret: ${SECRET}
      authorize_url: https://acme.example/authorize
      token_url: https://acme.example/token
  - slug: search
    protocol: api_key
    config_data: '{"api_key_ref":"CONNECTOR_NOT_SET"}'
resources:
  - slug: acme-api
    uri: https://acme-api.example/
    backend_kind: broker
    broker_provider_slug: acme
    scopes: [{ name: read, upstream: "repo:read", description: Read }]
    policy: { connect: { allowed_return_urls: ["https://app.example/back"] } }
`;
const wrong = yaml.replace('client_id: us', 'client_idd: us');

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: encryptionAtRest, yaml });
});
afterAll(() => app?.close());

const started: TestApp[] = [];
afterEach(() => Promise.all(started.splice(0).map((each) => each.close())));

describe('providers of the configuration', () => {
  it('are created at boot, with the resources that lead to them; the secret lies sealed', async () => {
    const { body } = await app.admin('GET', '/admin/broker-providers');
    expect(body.providers.map(({ slug, protocol }: any) => [slug, protocol])).toEqual([
      ['acme', 'oauth'],
      ['search', 'api_key'],
    ]);
    expect(body.providers[0].config_data).not.toHaveProperty('client_secret');
    const { body: found } = await app.admin('GET', '/admin/resources?slug=acme-api');
    expect(found.resources[0]).toMatchObject({
      uri: 'https://acme-api.example/',
      broker_provider_id: body.providers[0].id,
      scopes: [{ name: 'read', upstream: 'repo:read' }],
      policy: { connect: { allowed_return_urls: ['https://app.example/back'] } },
    });
    const stored = JSON.stringify(await app.sql('select * from broker_providers'));
    expect(`${stored}${app.logged.join('\n')}`).not.toContain(SECRET);
  });

  it('name the variable that is not set', () => {
    expect(app.logged.join('\n')).toContain('provider search: the variable CONNECTOR_NOT_SET is not set');
  });

  it('stay as the operator left them, at the next boot', async () => {
    const { body } = await app.admin('GET', '/admin/broker-providers?slug=acme');
    const [{ id }] = body.providers;
    await app.admin('PATCH', `/admin/broker-providers/${id}`, { display_name: 'Changed' });
    started.push(await startTestApp({ settings: encryptionAtRest, yaml, beside: app }));
    expect((await app.admin('GET', `/admin/broker-providers/${id}`)).body.display_name).toBe('Changed');
    expect((await app.admin('GET', '/admin/broker-providers')).body.providers).toHaveLength(2);
  });

  it('come from the environment, too', async () => {
    const settings = {
      ...encryptionAtRest,
      BROKER_PROVIDER_SLUG: 'github',
      BROKER_PROVIDER_PRESET: 'github',
      BROKER_PROVIDER_CLIENT_ID: 'Iv1.abc',
      BROKER_PROVIDER_CLIENT_SECRET_REF: 'AUTHPLANE_VAULT_GITHUB',
      VAULT_GITHUB: 'from-the-environment',
    };
    const other = await startTestApp({ settings });
    started.push(other);
    const { body } = await other.admin('GET', '/admin/broker-providers');
    expect(body.providers[0]).toMatchObject({
      slug: 'github',
      config_data: { client_secret_ref: 'AUTHPLANE_VAULT_GITHUB' },
    });
    expect(other.logged.join('\n')).not.toContain('is not set');
  });

  it('that cannot work keep the server from starting, which says why', async () => {
    const boot = startTestApp({ settings: encryptionAtRest, yaml: wrong });
    await expect(boot).rejects.toThrow('broker_providers: acme: config_data.client_id is required');
  });
});

describe('without encryption at rest', () => {
  it('a provider in the configuration keeps the server from starting', async () => {
    await expect(startTestApp({ yaml })).rejects.toThrow('data_encryption required when broker_providers configured');
  });

  it('a provider in the database does, too', async () => {
    const boot = startTestApp({ beside: app });
    await expect(boot).rejects.toThrow('data_encryption required when broker_providers configured');
  });
});
