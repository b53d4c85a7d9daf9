import type { JSX } from 'preact';
import type { Page } from '../platform/http/page.js';
import { Button, Card, Day, Notice, PostForm, Unseen } from '../platform/http/page-elements.js';
import type { OwnConnection } from './connection-view.js';

/** What was just done: fixed texts, since the word comes from the URL. */
export const outcomes = {
  disconnected: 'The account was disconnected.',
  withdrawn: 'The server has no access to the account any more.',
} as const;

export type Outcome = keyof typeof outcomes;

export interface ConnectionsPageProps extends ConnectedAccountsProps {
  readonly outcome?: Outcome;
}

/** GET /connections */
export function connectionsPage({ outcome, ...props }: ConnectionsPageProps): Page {
  return {
    title: 'Your connected accounts',
    wide: true,
    body: (
      <div class="stack">
        <h1>Your connected accounts</h1>
        {outcome && <Notice kind="good">{outcomes[outcome]}</Notice>}
        <ConnectedAccounts {...props} />
        <p>
          <a href={props.href('/account')}>Your account</a>
        </p>
      </div>
    ),
  };
}

export interface ConnectedAccountsProps {
  readonly connections: readonly OwnConnection[];
  readonly csrf: string;
  /** Turns a path of this server into what a link or a form goes to. */
  readonly href: (path: `/${string}`, query?: Readonly<Record<string, string | undefined>>) => string;
  /** Where the forms are posted: `…/withdraw` and `…/disconnect`. */
  readonly below: `/${string}`;
}

/** The accounts at other providers: what of them is connected, who may have it, and how to end it. */
export function ConnectedAccounts(props: ConnectedAccountsProps): JSX.Element {
  const { connections } = props;
  return (
    <Card labelledBy="accounts">
      <div class="tight">
        <h2 id="accounts">Connected accounts</h2>
        <p class="quiet small">
          Your accounts elsewhere. Agents work with them through the servers named here; none of them ever holds the
          key.
        </p>
      </div>
      {connections.length === 0 && <p>No account is connected.</p>}
      {connections.length > 0 && (
        <ul class="rows">
          {connections.map((connection) => (
            <Connection key={connection.id} connection={connection} {...props} />
          ))}
        </ul>
      )}
    </Card>
  );
}

interface ConnectionProps extends ConnectedAccountsProps {
  readonly connection: OwnConnection;
}

function Connection({ connection, csrf, href, below }: ConnectionProps): JSX.Element {
  const { providerSlug, providerLabel, account, scopes, lastUsedAt, lastUsedAgent, lastUsedServer } = connection;
  return (
    <li>
      <div class="stack">
        <div class="tight">
          <h3>
            <bdi>{providerLabel}</bdi> {account && <bdi class="quiet">{account}</bdi>}
          </h3>
          <Scopes scopes={scopes} />
          <p class="quiet small">
            Since <Day date={connection.createdAt} />
            {lastUsedAt && (
              <>
                , last used <Day date={lastUsedAt} />
              </>
            )}
            {lastUsedAgent && (
              <>
                {' by '}
                <bdi>{lastUsedAgent}</bdi>
              </>
            )}
            {lastUsedServer && (
              <>
                {' through '}
                <bdi>{lastUsedServer}</bdi>
              </>
            )}
          </p>
        </div>
        {connection.status === 'reconnect_required' && (
          <Notice kind="care" title={`${providerLabel} no longer accepts this connection`}>
            <a href={href(`/connect/${providerSlug}`, { resource: connection.resourceUri })}>Connect again</a>
          </Notice>
        )}
        <Servers connection={connection} csrf={csrf} href={href} below={below} />
      </div>
      <PostForm action={href(`${below}/disconnect`)} hidden={{ csrf, provider: providerSlug }}>
        <Button kind="minor">
          Disconnect
          <Unseen>{` ${providerLabel}`}</Unseen>
        </Button>
      </PostForm>
    </li>
  );
}

function Servers({ connection, csrf, href, below }: Omit<ConnectionProps, 'connections'>): JSX.Element {
  const { consents, providerLabel } = connection;
  if (consents.length === 0) return <p class="small">No server may use it.</p>;
  return (
    <ul class="rows" aria-label={`Servers that may use ${providerLabel}`}>
      {consents.map(({ id, resourceName, scopes, allowedScopes, createdAt }) => (
        <li key={id}>
          <div class="tight">
            <p>
              <bdi>{resourceName}</bdi> <span class="quiet">may use</span>
            </p>
            <Scopes scopes={scopes} />
            {scopes.some((scope) => !allowedScopes.includes(scope)) && (
              <p class="quiet small">
                You allowed {allowedScopes.join(', ') || 'less'}; <bdi>{providerLabel}</bdi> gives all or nothing.
              </p>
            )}
            <p class="quiet small">
              Since <Day date={createdAt} />
            </p>
          </div>
          <PostForm action={href(`${below}/withdraw`)} hidden={{ csrf, consent: id }}>
            <Button kind="minor">
              Withdraw
              <Unseen>{` the access of ${resourceName} to ${providerLabel}`}</Unseen>
            </Button>
          </PostForm>
        </li>
      ))}
    </ul>
  );
}

function Scopes({ scopes }: { scopes: readonly string[] }): JSX.Element | null {
  if (scopes.length === 0) return null;
  return (
    <p class="tags">
      {scopes.map((scope) => (
        <code key={scope}>{scope}</code>
      ))}
    </p>
  );
}
