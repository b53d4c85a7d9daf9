import type { Command } from 'commander';
import { paged, type PageFlags } from './flags.js';
import { readSecret } from './secret-input.js';
import { UsageError } from './usage-error.js';
import type { Run } from './verb.js';

interface IdFlags {
  readonly id: string;
}

interface PasswordFlags {
  readonly password: string;
}

interface CreateFlags extends PasswordFlags {
  readonly email: string;
  readonly name?: string;
  readonly role: string;
}

interface UpdateFlags extends IdFlags {
  readonly email?: string;
  readonly name?: string;
}

interface IdentityFlags extends IdFlags {
  readonly issuer: string;
  readonly subject: string;
}

const identityColumns = ['issuer', 'subject', 'provider', 'groups', 'checked_at', 'refused_at', 'created_at'];
const columns = ['id', 'email', 'name', 'role', 'status', 'provider', 'created_at'];

export function addUserCommands(admin: Command, run: Run): void {
  const user = admin.command('user').description('the people who sign in');
  addWriting(user, run);
  addAccess(user, run);
  addIdentities(user, run);

  paged(user.command('list').description('list users')).action(
    run<PageFlags>(async ({ limit, cursor }, { api, output }) =>
      output.list(await api.get('/admin/users', { limit, cursor }), 'users', columns),
    ),
  );

  user
    .command('get')
    .description('show one user')
    .requiredOption('--id <id>')
    .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.get(at(flags)))));
}

function addWriting(user: Command, run: Run): void {
  user
    .command('create')
    .description('create a local account')
    .requiredOption('--email <address>')
    .requiredOption('--password <->', 'must be -: the password is read from standard input')
    .option('--name <name>', 'how the pages address the person')
    .option('--role <role>', 'user or admin', 'user')
    .action(
      run<CreateFlags>(async ({ email, name, role, password }, { api, output, terminal }) =>
        output.one(
          await api.post('/admin/users', {
            email,
            name,
            role,
            password: await readSecret(terminal, 'password', password),
          }),
        ),
      ),
    );

  user
    .command('update')
    .description('change a user; what is not named stays')
    .requiredOption('--id <id>')
    .option('--email <address>')
    .option('--name <name>')
    .action(
      run<UpdateFlags>(async ({ id, email, name }, { api, output }) => {
        if (email === undefined && name === undefined) throw new UsageError('nothing to change is named');
        output.one(await api.patch(at({ id }), { email, name }));
      }),
    );

  user
    .command('set-password')
    .description('set a new password; it ends the sessions of the person')
    .requiredOption('--id <id>')
    .requiredOption('--password <->', 'must be -: the password is read from standard input')
    .action(
      run<IdFlags & PasswordFlags>(async (flags, { api, output, terminal }) => {
        await api.put(`${at(flags)}/password`, { password: await readSecret(terminal, 'password', flags.password) });
        output.done(`the password of ${flags.id} is changed`, { id: flags.id });
      }),
    );
}

function addAccess(user: Command, run: Run): void {
  const verbs = {
    disable: 'end the sessions of a user and refuse the tokens, until enabled again',
    enable: 'let a disabled user in again',
  };
  for (const [verb, description] of Object.entries(verbs)) {
    user
      .command(verb)
      .description(description)
      .requiredOption('--id <id>')
      .action(run<IdFlags>(async (flags, { api, output }) => output.one(await api.patch(`${at(flags)}/${verb}`))));
  }

  user
    .command('force-logout')
    .description('revoke every token family of a user')
    .requiredOption('--id <id>')
    .action(
      run<IdFlags>(async (flags, { api, output }) => {
        const answer = await api.delete(`${at(flags)}/tokens`);
        output.done(`${String(answer.revoked)} token families revoked`, answer);
      }),
    );

  user
    .command('delete')
    .description('delete a user')
    .requiredOption('--id <id>')
    .option('--force', 'although there are active tokens; they end')
    .action(
      run<IdFlags & { readonly force?: boolean }>(async (flags, { api, output }) => {
        await api.delete(at(flags), { force: flags.force });
        output.done(`user ${flags.id} is deleted`, { deleted: flags.id });
      }),
    );
}

function addIdentities(user: Command, run: Run): void {
  user
    .command('identities')
    .description('list who a user is at identity providers')
    .requiredOption('--id <id>')
    .action(
      run<IdFlags>(async (flags, { api, output }) =>
        output.list(await api.get(`${at(flags)}/identities`), 'identities', identityColumns),
      ),
    );

  user
    .command('link-identity')
    .description('say that a person of an identity provider is this user')
    .requiredOption('--id <id>')
    .requiredOption('--issuer <issuer>', 'byte for byte as in its tokens')
    .requiredOption('--subject <sub>', 'what the issuer calls the person')
    .action(
      run<IdentityFlags>(async ({ id, issuer, subject }, { api, output }) =>
        output.one(await api.post(`${at({ id })}/identities`, { issuer, subject })),
      ),
    );

  user
    .command('unlink-identity')
    .description('say that a person of an identity provider is not this user; sessions that began there end')
    .requiredOption('--id <id>')
    .requiredOption('--issuer <issuer>', 'byte for byte as in its tokens')
    .requiredOption('--subject <sub>', 'what the issuer calls the person')
    .action(
      run<IdentityFlags>(async ({ id, issuer, subject }, { api, output }) => {
        await api.delete(`${at({ id })}/identities`, {}, { issuer, subject });
        output.done(`${subject} of ${issuer} is not user ${id} any more`, { id, issuer, subject });
      }),
    );
}

const at = ({ id }: IdFlags): string => `/admin/users/${encodeURIComponent(id)}`;
