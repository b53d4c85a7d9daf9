import type { Command } from 'commander';
import type { AdminApi } from './admin-api.js';
import type { Run } from './verb.js';

interface SlugFlags {
  readonly slug: string;
}

type EntryFlags = SlugFlags & Readonly<Record<string, string>>;

/** One list of a resource's policy, which is changed entry by entry. */
interface PolicyList {
  readonly command: string;
  readonly description: string;
  readonly help: { readonly add: string; readonly remove: string; readonly list: string };
  /** Below the policy of the resource. */
  readonly path: string;
  /** As the answer names the list. */
  readonly member: string;
  readonly entry: { readonly flag: string; readonly name: string; readonly member: string };
  readonly added: (entry: string, slug: string) => string;
  readonly removed: (entry: string, slug: string) => string;
  /** What an operator may not expect who removes the last entry. */
  readonly emptied?: (slug: string) => string;
  readonly remove: (api: AdminApi, path: string, entry: string) => Promise<unknown>;
}

const client = { flag: '--client-id <id>', name: 'clientId', member: 'client_id' };
const byPath: PolicyList['remove'] = (api, path, entry) => api.delete(`${path}/${encodeURIComponent(entry)}`);

const lists: readonly PolicyList[] = [
  {
    command: 'runtime-client',
    description: 'the clients that act as a resource',
    help: {
      add: 'let a client act as the resource',
      remove: 'end that',
      list: 'list the clients that act as the resource',
    },
    path: 'runtime/client-ids',
    member: 'client_ids',
    entry: client,
    added: (id, slug) => `${id} acts as ${slug}`,
    removed: (id, slug) => `${id} does not act as ${slug}`,
    remove: byPath,
  },
  {
    command: 'allowed-client',
    description: 'the clients that may exchange tokens for a resource; once one is listed, no other',
    help: {
      add: 'let a client exchange tokens for the resource; once one is listed, no other may',
      remove: 'take a client off that list; when it is empty, the other rules of exchanges alone decide',
      list: 'list the clients that may exchange tokens for the resource',
    },
    path: 'exchange/allowed-clients',
    member: 'allowed_client_ids',
    entry: client,
    added: (id, slug) => `${id} may exchange tokens for ${slug}`,
    removed: (id, slug) => `${id} is not listed at ${slug}`,
    emptied: (slug) => `${slug} lists nobody now: the other rules of exchanges alone decide`,
    remove: byPath,
  },
  {
    command: 'allowed-return-url',
    description: 'where the connect pages of a resource may return to',
    help: {
      add: 'let the connect pages return to a URL, which is compared byte for byte',
      remove: 'end that',
      list: 'list where the connect pages of the resource may return to, beside connect.allowed_return_urls',
    },
    path: 'connect/allowed-return-urls',
    member: 'allowed_return_urls',
    entry: { flag: '--url <url>', name: 'url', member: 'url' },
    added: (url, slug) => `connect pages of ${slug} may return to ${url}`,
    removed: (url, slug) => `${url} is not listed at ${slug}`,
    remove: (api, path, url) => api.delete(path, { url }),
  },
];

/** The three lists of a resource's policy. `resource update --policy-…` replaces a whole one; these change single entries. */
export function addResourcePolicyCommands(resource: Command, run: Run): void {
  for (const list of lists) addListCommands(resource.command(list.command).description(list.description), list, run);
}

function addListCommands(group: Command, list: PolicyList, run: Run): void {
  const { entry } = list;

  group
    .command('add')
    .description(list.help.add)
    .requiredOption('--slug <slug>')
    .requiredOption(entry.flag)
    .action(
      run<EntryFlags>(async ({ slug, [entry.name]: value = '' }, { api, output }) => {
        await api.post(at(list, slug), { [entry.member]: value });
        output.done(list.added(value, slug), { slug, [entry.member]: value });
      }),
    );

  group
    .command('remove')
    .description(list.help.remove)
    .requiredOption('--slug <slug>')
    .requiredOption(entry.flag)
    .action(
      run<EntryFlags>(async ({ slug, [entry.name]: value = '' }, { api, output }) => {
        await list.remove(api, at(list, slug), value);
        output.done(list.removed(value, slug), { slug, [entry.member]: value });
        if (!list.emptied) return;
        const { [list.member]: left } = await api.get(at(list, slug));
        if (Array.isArray(left) && left.length === 0) output.note(list.emptied(slug));
      }),
    );

  group
    .command('list')
    .description(list.help.list)
    .requiredOption('--slug <slug>')
    .action(
      run<SlugFlags>(async ({ slug }, { api, output }) =>
        output.list(await api.get(at(list, slug)), list.member, [entry.member], (value) => ({ [entry.member]: value })),
      ),
    );
}

const at = ({ path }: PolicyList, slug: string): string =>
  `/admin/resources/${encodeURIComponent(slug)}/policy/${path}`;
