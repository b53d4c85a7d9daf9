import { randomUUID } from 'node:crypto';
import type { TestApp } from './app.js';
import type { ResourceFixture } from './builders.js';

/** A sign-in provider that nobody is sent to: only its slug matters. */
export async function aSignInProvider(app: Pick<TestApp, 'admin'>, more: object = {}): Promise<string> {
  const slug = `company-${randomUUID().slice(0, 8)}`;
  const { status, body } = await app.admin('POST', '/admin/sign-in-providers', {
    slug,
    issuer: `https://login.${slug}.example`,
    client_id: 'us',
    ...more,
  });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return slug;
}

/** Says what a group gives at a resource. @returns the id of the mapping */
export async function mapGroup(
  app: Pick<TestApp, 'admin'>,
  provider: string,
  group: string,
  resource: ResourceFixture,
  ...scopes: string[]
): Promise<string> {
  const mapping = { provider, group, resource: resource.slug, scopes };
  const { status, body } = await app.admin('POST', '/admin/group-scopes', mapping);
  if (status !== 201 && status !== 200) throw new Error(JSON.stringify(body));
  return body.id;
}

/** From now on the person is somebody who last signed in at the provider, which says that they are in these groups; null: it says nothing. */
export async function standsAt(
  app: Pick<TestApp, 'sql' | 'clock'>,
  user: { readonly id: string },
  provider: string,
  groups: readonly string[] | null,
): Promise<void> {
  await app.sql(
    `with moved as (update policy_epoch set epoch = epoch + 1)
     insert into identities (issuer, subject, user_id, created_at, provider, groups, checked_at) values ($1, $2, $3, $4, $5, $6, $4)
     on conflict (issuer, subject) do update set groups = excluded.groups, checked_at = excluded.checked_at`,
    [`https://login.${provider}.example`, user.id, user.id, app.clock.now(), provider, groups],
  );
}
