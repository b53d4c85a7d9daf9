import type { JSX } from 'preact';
import type { Page } from '../platform/http/page.js';
import { Button, Card, Notice, PostForm } from '../platform/http/page-elements.js';
import type { OfferedScope } from './connect-plan.js';

export interface ConnectPageProps {
  readonly brand: { readonly name: string };
  /** `host` is where the browser will be sent, out of a URI parser. */
  readonly provider: { readonly name: string; readonly host?: string };
  /** Absent: the person came by themselves. */
  readonly asked?: {
    readonly server: string;
    readonly serverUri: string;
    readonly client: string;
    readonly agent: boolean;
  };
  readonly scopes: readonly OfferedScope[];
  readonly connected?: {
    /** '' when upstream does not say. */
    readonly account: string;
    readonly scopes: readonly string[];
    readonly broken: boolean;
  };
  /** Every token has all that is connected, whatever is ticked (W45). */
  readonly allOrNothing: boolean;
  /** Everything that is ticked is connected already: nobody is sent anywhere. */
  readonly staysHere: boolean;
  readonly returnHost?: string;
  readonly user: { readonly email?: string; readonly name: string };
  readonly csrf: string;
  readonly request: string;
  readonly action: string;
  readonly logoutCsrf: string;
  readonly logoutAction: string;
}

const BOX = 'scope:';

/** Before anybody is sent to a provider: what will be had, for whom, and where to. MCP a.6, RFC 9700 §4.4. */
export function connectPage(props: ConnectPageProps): Page {
  const { provider, asked, csrf, request, action, staysHere } = props;
  const question = asked
    ? [
        'Let ',
        <bdi key="server">{asked.server}</bdi>,
        ' use your ',
        <bdi key="provider">{provider.name}</bdi>,
        ' account?',
      ]
    : ['Connect your ', <bdi key="provider">{provider.name}</bdi>, ' account?'];
  return {
    title: asked ? `Let ${asked.server} use ${provider.name}?` : `Connect ${provider.name}?`,
    body: (
      <Card labelledBy="title">
        <div class="tight">
          <h1 id="title">{question}</h1>
          {asked && (
            <p class="quiet small">
              <bdi>{asked.serverUri}</bdi>
            </p>
          )}
        </div>
        {asked && (
          <p>
            Asked for by <strong>{asked.client}</strong> {asked.agent && <span class="tag">AI agent</span>}, which works
            with this server for you. It never sees your password at {provider.name}.
          </p>
        )}
        <Present {...props} />
        <PostForm action={action} hidden={{ csrf, request }} class="stack">
          <Choices {...props} />
          {props.allOrNothing && <Everything {...props} />}
          {!staysHere && provider.host && <Destination {...props} />}
          <div class="actions">
            <Button name="decision" value="deny">
              {asked ? 'Deny' : 'Cancel'}
            </Button>
            <Button name="decision" value="allow" kind="primary">
              {staysHere ? 'Allow' : 'Continue'}
            </Button>
          </div>
          <p class="quiet small">You can take this back at any time on your account page.</p>
        </PostForm>
        <SignedInAs {...props} />
      </Card>
    ),
  };
}

function Present({ connected, provider }: ConnectPageProps): JSX.Element | null {
  if (!connected) return null;
  if (connected.broken)
    return (
      <Notice kind="care" title={`${provider.name} no longer accepts the connection`}>
        Connect again to go on using it.
      </Notice>
    );
  return (
    <p>
      {`Your ${provider.name} account `}
      {connected.account && <strong>{connected.account}</strong>} is connected already.
    </p>
  );
}

/** A field of its own for each scope: no form may repeat a parameter. */
function Choices({ scopes, asked, provider }: ConnectPageProps): JSX.Element {
  if (scopes.length === 0)
    return (
      <p>
        This access is not divided into parts: allowing means all that {provider.name} gives
        {asked ? ' to this server on your behalf' : ''}.
      </p>
    );
  return (
    <fieldset>
      <legend>{asked ? 'It may' : 'What to connect'}</legend>
      <ul class="choices">
        {scopes.map(({ name, description, upstream, ticked, already }) => (
          <li key={name}>
            <label>
              <input type="checkbox" name={`${BOX}${name}`} value="on" checked={ticked} />
              <span>
                <span>{description || name}</span>
                <span class="quiet">
                  <code>{upstream}</code> {`at ${provider.name}`}
                  {already && ' · already allowed'}
                </span>
              </span>
            </label>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

function Everything({ provider, connected, scopes, asked }: ConnectPageProps): JSX.Element | null {
  const real = [...new Set([...(connected?.scopes ?? []), ...scopes.map(({ upstream }) => upstream)])];
  if (!asked || real.length < 2) return null;
  return (
    <Notice kind="care" title={`${provider.name} gives all or nothing`}>
      <p class="small">
        Whatever is ticked, the access that this server gets at {provider.name} holds everything that is connected:
      </p>
      <p class="tags">
        {real.map((scope) => (
          <code key={scope}>{scope}</code>
        ))}
      </p>
    </Notice>
  );
}

function Destination({ provider, returnHost }: ConnectPageProps): JSX.Element {
  return (
    <div class="notice">
      <p class="small">You will be sent to</p>
      <p>
        <strong class="host">{provider.host}</strong>
      </p>
      <p class="small">
        {`${provider.name} asks you there once more. `}
        {returnHost ? (
          <>
            Then you go on to <strong>{returnHost}</strong>.
          </>
        ) : (
          'Then you come back here.'
        )}
      </p>
    </div>
  );
}

function SignedInAs({ brand, user, request, logoutCsrf, logoutAction }: ConnectPageProps): JSX.Element {
  return (
    <PostForm action={logoutAction} hidden={{ csrf: logoutCsrf, request }} class="small quiet">
      {`Signed in to ${brand.name} as `}
      <bdi>{user.email ?? user.name}</bdi>. <Button kind="link">Not you? Switch account</Button>
    </PostForm>
  );
}
