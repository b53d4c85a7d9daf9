import type { JSX } from 'preact';
import { PASSWORD_MIN_LENGTH } from '../accounts/password-hashing.js';
import type { OwnConnection } from '../broker/connection-view.js';
import { ConnectedAccounts } from '../broker/connections.page.js';
import type { ConnectedApp } from '../consents/consent.js';
import type { Page } from '../platform/http/page.js';
import { Button, Card, Day, Field, Notice, PostForm, Unseen } from '../platform/http/page-elements.js';

export interface OpenSession {
  readonly id: string;
  /** Browser and system, as far as they can be told. */
  readonly label: string;
  readonly since: Date;
  readonly current: boolean;
}

/** What was just done, or why not: fixed texts, since the word comes from the URL. */
export const outcomes = {
  withdrawn: ['good', 'The application has no access any more.'],
  disconnected: ['good', 'The account was disconnected.'],
  'server-withdrawn': ['good', 'The server has no access to the account any more.'],
  ended: ['good', 'The session was ended.'],
  'others-ended': ['good', 'All your other sessions were ended.'],
  'password-changed': ['good', 'Your password was changed. You are signed out everywhere else.'],
} as const;

export type Outcome = keyof typeof outcomes;

export interface AccountPageProps {
  readonly user: { readonly name: string; readonly email?: string };
  readonly apps: readonly ConnectedApp[];
  readonly connections: readonly OwnConnection[];
  readonly sessions: readonly OpenSession[];
  /** Only local accounts have a password here. */
  readonly canChangePassword: boolean;
  readonly csrf: { readonly account: string; readonly logout: string };
  /** Turns a path of this server into what a form posts to. */
  readonly href: (path: `/${string}`) => string;
  readonly outcome?: Outcome;
  /** Why the password was not changed. */
  readonly passwordProblem?: string;
}

export function accountPage(props: AccountPageProps): Page {
  const { user, outcome, csrf, href } = props;
  return {
    title: props.passwordProblem ? 'Password not changed' : 'Your account',
    wide: true,
    body: (
      <div class="stack">
        <div class="split">
          <div class="tight">
            <h1>Your account</h1>
            <p class="quiet">
              <bdi>{[user.name, user.email].filter(Boolean).join(' · ')}</bdi>
            </p>
          </div>
          <PostForm action={href('/logout')} hidden={{ csrf: csrf.logout }}>
            <Button kind="minor">Sign out</Button>
          </PostForm>
        </div>
        {outcome && <Notice kind={outcomes[outcome][0]}>{outcomes[outcome][1]}</Notice>}
        <ConnectedApps {...props} />
        <ConnectedAccounts
          connections={props.connections}
          csrf={csrf.account}
          href={href}
          below="/account/connections"
        />
        <Sessions {...props} />
        {props.canChangePassword && <PasswordForm {...props} />}
      </div>
    ),
  };
}

function ConnectedApps({ apps, csrf, href }: AccountPageProps): JSX.Element {
  return (
    <Card labelledBy="apps">
      <div class="tight">
        <h2 id="apps">Connected apps</h2>
        <p class="quiet small">Applications that may act for you. Withdrawing ends their access at once.</p>
      </div>
      {apps.length === 0 && <p>No application has access.</p>}
      {apps.length > 0 && (
        <ul class="rows">
          {apps.map((app) => (
            <li key={app.id}>
              <div class="tight">
                <h3>
                  <bdi>{app.clientName}</bdi> <span class="quiet">at</span> <bdi>{app.resourceName}</bdi>
                </h3>
                {app.scopes.length > 0 && (
                  <p class="tags">
                    {app.scopes.map((scope) => (
                      <code key={scope}>{scope}</code>
                    ))}
                  </p>
                )}
                <p class="quiet small">
                  Since <Day date={app.createdAt} />
                  {app.lastUsedAt && (
                    <>
                      , last used <Day date={app.lastUsedAt} />
                    </>
                  )}
                </p>
              </div>
              <PostForm action={href('/account/withdraw')} hidden={{ csrf: csrf.account, consent: app.id }}>
                <Button kind="minor">
                  Withdraw
                  <Unseen>{` the access of ${app.clientName} to ${app.resourceName}`}</Unseen>
                </Button>
              </PostForm>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Sessions({ sessions, csrf, href }: AccountPageProps): JSX.Element {
  return (
    <Card labelledBy="sessions">
      <div class="split">
        <h2 id="sessions">Where you are signed in</h2>
        {sessions.length > 1 && (
          <PostForm action={href('/account/sessions/end-others')} hidden={{ csrf: csrf.account }}>
            <Button kind="minor">End all others</Button>
          </PostForm>
        )}
      </div>
      <ul class="rows">
        {sessions.map((session) => (
          <li key={session.id}>
            <div class="tight">
              <h3>
                {session.label} {session.current && <span class="tag">This browser</span>}
              </h3>
              <p class="quiet small">
                Since <Day date={session.since} />
              </p>
            </div>
            {!session.current && (
              <PostForm action={href('/account/sessions/end')} hidden={{ csrf: csrf.account, session: session.id }}>
                <Button kind="minor">
                  End
                  <Unseen>{` the session of ${session.label}`}</Unseen>
                </Button>
              </PostForm>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function PasswordForm({ csrf, href, passwordProblem, user }: AccountPageProps): JSX.Element {
  const errorId = passwordProblem ? 'password-problem' : undefined;
  return (
    <Card labelledBy="password">
      <div class="tight">
        <h2 id="password">Change password</h2>
        <p class="quiet small">You stay signed in here and are signed out everywhere else.</p>
      </div>
      {passwordProblem && (
        <Notice kind="bad" id={errorId}>
          {passwordProblem}
        </Notice>
      )}
      <PostForm action={href('/account/password')} hidden={{ csrf: csrf.account }} class="stack">
        {/* For password managers: whose password this is. */}
        <input type="email" autocomplete="username" value={user.email} readonly hidden />
        <Field
          label="Current password"
          name="current"
          type="password"
          autocomplete="current-password"
          errorId={errorId}
        />
        <Field
          label="New password"
          name="new"
          type="password"
          autocomplete="new-password"
          minLength={PASSWORD_MIN_LENGTH}
          hint={`At least ${PASSWORD_MIN_LENGTH} characters. A few unrelated words are easier to remember and harder to guess.`}
          errorId={errorId}
        />
        <Field label="New password again" name="again" type="password" autocomplete="new-password" errorId={errorId} />
        <div>
          <Button kind="primary">Change password</Button>
        </div>
      </PostForm>
    </Card>
  );
}
