import { randomBytes, randomUUID } from 'node:crypto';
import type { Target } from '../app.js';
import { aResource, type ResourceFixture } from '../builders.js';
import type { Upstream } from './upstream.js';

const masterKey = randomBytes(32).toString('hex');

/** Settings (`startTestApp`) under which providers may be configured. */
export const encryptionAtRest = {
  DATA_ENCRYPTION_DRIVER: 'aes_master',
  DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_TEST_MASTER_KEY',
  TEST_MASTER_KEY: masterKey,
};

/** The same for a server in a process of its own. */
export const encryptionAtRestEnv = Object.fromEntries(
  Object.entries(encryptionAtRest).map(([name, value]) => [`AUTHPLANE_${name}`, value]),
);

export interface ProviderFixture {
  id: string;
  slug: string;
  /** What upstream knows us by; the server holds it sealed. */
  clientSecret: string;
}

interface ProviderDraft {
  slug?: string;
  display_name?: string;
  /** Members of config_data beside, or instead of, those that make it work. */
  config?: Record<string, unknown>;
  /** Where the token and revocation endpoints are asked: a misbehaving proxy in front of upstream. */
  through?: { readonly origin: string };
  /** In Slack's shape. */
  slack?: boolean;
}

/** A provider of protocol oauth, registered at upstream under its own redirect URI. */
export async function aProvider(app: Target, upstream: Upstream, draft: ProviderDraft = {}): Promise<ProviderFixture> {
  const { slug = `acme-${randomUUID().slice(0, 8)}`, through = upstream, config = {} } = draft;
  const { clientId, clientSecret } = await upstream.register(`${app.issuer}/connect/${slug}/callback`);
  const slack = {
    authorize_url: `${upstream.origin}/slack/authorize`,
    token_url: `${through.origin}/slack/token`,
    response_format: 'slack',
    scope_parameter: 'user_scope',
    scope_separator: ',',
    account_url: undefined,
    account_member: 'authed_user.id',
  };
  const { status, body } = await app.admin('POST', '/admin/broker-providers', {
    slug,
    display_name: draft.display_name ?? 'Acme',
    protocol: 'oauth',
    config_data: {
      client_id: clientId,
      client_secret: clientSecret,
      authorize_url: `${upstream.origin}/auth`,
      token_url: `${through.origin}/token`,
      revocation_url: `${through.origin}/token/revocation`,
      issuer: upstream.origin,
      account_url: `${upstream.origin}/api/me`,
      account_member: 'login',
      extra_auth_params: { prompt: 'consent' },
      ...(draft.slack && slack),
      ...config,
    },
  });
  if (status !== 201) throw new Error(`the operator's API answered ${status}: ${JSON.stringify(body)}`);
  return { id: body.id, slug, clientSecret };
}

/** A Broker resource in front of a provider, whose two scopes are repo:read and repo:write upstream. */
export function aBrokerResource(
  app: Target,
  provider: { readonly id: string },
  draft: Record<string, unknown> = {},
): Promise<ResourceFixture> {
  const slug = `acme-api-${randomUUID().slice(0, 8)}`;
  return aResource(app, {
    slug,
    uri: `https://${slug}.example/`,
    backend_kind: 'broker',
    broker_provider_id: provider.id,
    display_name: 'Acme',
    scopes: [
      { name: 'read', upstream: 'repo:read', description: 'Read your repositories' },
      { name: 'write', upstream: 'repo:write', description: 'Write to your repositories' },
    ],
    ...draft,
  });
}
