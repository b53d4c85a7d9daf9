import type { JSX } from 'preact';
import type { Form } from '#libs/oauth';
import type { Brand, Page } from '../platform/http/page.js';
import { Button, Card, Notice, PostForm } from '../platform/http/page-elements.js';

export interface ConsentScope {
  readonly name: string;
  readonly description: string;
  readonly ticked: boolean;
  /** Allowed on an earlier occasion. */
  readonly already: boolean;
}

export interface ConsentPageProps {
  readonly brand: Brand;
  readonly client: {
    readonly name: string;
    readonly id: string;
    /** Of a client id that is a URL: the one part of a client that nobody else can claim. */
    readonly host?: string;
    readonly selfRegistered: boolean;
    readonly agent: boolean;
  };
  readonly user: { readonly email?: string; readonly name: string };
  readonly resource: { readonly name: string; readonly uri: string };
  /** Absent: the person came by a link and stays here. `host` comes from a URI parser, so that `user@host` cannot disguise the real destination. */
  readonly redirect?: { readonly host: string; readonly kind: 'https' | 'loopback' | 'private-use' };
  readonly scopes: readonly ConsentScope[];
  readonly csrf: string;
  readonly request: string;
  /** Where the decision is posted. */
  readonly action: string;
  /** A client known by its metadata document whose every redirect is loopback: any program of this computer can claim its name. */
  readonly loopbackOnly: boolean;
  readonly logoutCsrf: string;
  /** Where "not you?" is posted. */
  readonly logoutAction?: string;
}

const BOX = 'scope:';

/** Who asks, for what, and where the person will be sent: nothing is decided by a name that the asker chose. MCP A15, A21, A22. */
export function consentPage(props: ConsentPageProps): Page {
  const { client, resource, scopes, csrf, request, action } = props;
  return {
    title: `Allow access to ${resource.name}?`,
    body: (
      <Card labelledBy="title">
        <div class="tight">
          <h1 id="title">
            Allow <bdi>{client.name}</bdi> to use <bdi>{resource.name}</bdi>?
          </h1>
          <p class="quiet small">
            <bdi>{resource.uri}</bdi>
          </p>
        </div>
        <WhoAsks {...props} />
        <PostForm action={action} hidden={{ csrf, request }} class="stack">
          {scopes.length > 0 ? (
            <ScopeChoices scopes={scopes} />
          ) : (
            <p>
              <bdi>{resource.name}</bdi> does not divide its access into parts: allowing means full use of it on your
              behalf.
            </p>
          )}
          {props.redirect && <Destination redirect={props.redirect} />}
          <div class="actions">
            <Button name="decision" value="deny">
              Deny
            </Button>
            <Button name="decision" value="allow" kind="primary">
              Allow
            </Button>
          </div>
          <p class="quiet small">You can take this back at any time on your account page.</p>
        </PostForm>
        <SignedInAs {...props} />
      </Card>
    ),
  };
}

function WhoAsks({ client, loopbackOnly }: ConsentPageProps): JSX.Element {
  const known = [client.agent, client.host, client.selfRegistered].some(Boolean);
  return (
    <>
      {known && (
        <div class="tight">
          <div class="tags">
            {client.agent && <span class="tag">AI agent</span>}
            {client.selfRegistered && <span class="tag">Registered itself</span>}
          </div>
          {client.host && (
            <p>
              Published by <strong>{client.host}</strong>
            </p>
          )}
          {client.selfRegistered && <p class="quiet small">It chose its own name, and nobody checked it.</p>}
        </div>
      )}
      {loopbackOnly && (
        <Notice kind="care" title="Any program on this computer can claim this name">
          {`Go on only if you just started ${client.name} yourself, here.`}
        </Notice>
      )}
    </>
  );
}

/** A field of its own for each scope: no form may repeat a parameter. */
function ScopeChoices({ scopes }: { scopes: readonly ConsentScope[] }): JSX.Element {
  return (
    <fieldset>
      <legend>It may</legend>
      <ul class="choices">
        {scopes.map(({ name, description, ticked, already }) => (
          <li key={name}>
            <label>
              <input type="checkbox" name={`${BOX}${name}`} value="on" checked={ticked} />
              <span>
                <span>{description || name}</span>
                <span class="quiet">
                  {description && <code>{name}</code>}
                  {[description && already && ' · ', already && 'already allowed']}
                </span>
              </span>
            </label>
          </li>
        ))}
      </ul>
    </fieldset>
  );
}

const destinations = {
  https: 'Make sure that you know this address.',
  loopback: 'A program on this computer. Go on only if you just started it yourself.',
  'private-use': 'An application on this device opens. Go on only if you just started it yourself.',
} as const;

function Destination({ redirect }: { redirect: NonNullable<ConsentPageProps['redirect']> }): JSX.Element {
  return (
    <div class={redirect.kind === 'https' ? 'notice' : 'notice care'}>
      <p class="small">You will be sent to</p>
      <p>
        <strong class="host">{redirect.host}</strong>
      </p>
      <p class="small">{destinations[redirect.kind]}</p>
    </div>
  );
}

function SignedInAs({ brand, user, request, logoutCsrf, logoutAction = '/logout' }: ConsentPageProps): JSX.Element {
  return (
    <PostForm action={logoutAction} hidden={{ csrf: logoutCsrf, request }} class="small quiet">
      {`Signed in to ${brand.name} as `}
      <bdi>{user.email ?? user.name}</bdi>. <Button kind="link">Not you? Switch account</Button>
    </PostForm>
  );
}

/** The scopes whose boxes were ticked when the form was sent. */
export const tickedScopes = (form: Form): string[] =>
  [...form.keys()].filter((name) => name.startsWith(BOX)).map((name) => name.slice(BOX.length));
