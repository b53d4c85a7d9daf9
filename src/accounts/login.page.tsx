import type { JSX } from 'preact';
import type { Page } from '../platform/http/page.js';
import { Button, Card, Field, Notice, PostForm } from '../platform/http/page-elements.js';
import { inWords } from '../platform/http/error.page.js';

/** A button that leads to an identity provider. */
export interface ProviderButton {
  readonly name: string;
  readonly href: string;
}

export interface LoginPageProps {
  readonly action: string;
  /** Without it there are no passwords here. */
  readonly localLogin: boolean;
  readonly providers: readonly ProviderButton[];
  /** Where an address is posted that leads to a provider; none, where no provider is found so. */
  readonly byEmail?: string;
  readonly csrf: string;
  /** The sealed authorization request to go on with. */
  readonly request?: string;
  readonly email?: string;
  readonly problem?: 'refused' | 'locked';
  /** How long `locked` lasts. */
  readonly retryAfterSeconds?: number;
}

/** One text for every refused sign-in: it must not tell whether the account exists (RFC 9700, W23). */
export function loginPage(props: LoginPageProps): Page {
  const { localLogin, providers, byEmail, request, problem, retryAfterSeconds = 0 } = props;
  const refused = problem === 'refused';
  return {
    title: problem ? 'Not signed in' : 'Sign in',
    body: (
      <Card labelledBy="title">
        <div class="tight">
          <h1 id="title">Sign in</h1>
          {request !== undefined && <p class="quiet">An application asked for access. You decide after signing in.</p>}
        </div>
        {refused && (
          <Notice kind="bad" id="problem">
            The e-mail address or the password is not right.
          </Notice>
        )}
        {problem === 'locked' && (
          <Notice kind="bad" title="Too many attempts">{`Please try again in ${inWords(retryAfterSeconds)}.`}</Notice>
        )}
        {providers.map(({ name, href }) => (
          <form method="get" action={href} class="stack" key={href}>
            {request !== undefined && <input type="hidden" name="request" value={request} />}
            <Button>{`Continue with ${name}`}</Button>
          </form>
        ))}
        {byEmail !== undefined && (
          <PostForm action={byEmail} hidden={{ request }} class="stack">
            <Field label="Work e-mail address" name="email" type="email" autocomplete="email" />
            <Button>Continue with your company</Button>
          </PostForm>
        )}
        {localLogin && <PasswordForm {...props} />}
      </Card>
    ),
  };
}

function PasswordForm({ action, csrf, request, email, problem, providers, byEmail }: LoginPageProps): JSX.Element {
  const errorId = problem === 'refused' ? 'problem' : undefined;
  const alone = providers.length === 0 && byEmail === undefined;
  return (
    <PostForm action={action} hidden={{ csrf, request }} class="stack">
      <Field
        label="E-mail address"
        name="email"
        type="email"
        autocomplete="username"
        value={email}
        errorId={errorId}
        autofocus={alone && email === undefined}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autocomplete="current-password"
        errorId={errorId}
        autofocus={email !== undefined}
      />
      <Button kind="primary">Sign in</Button>
    </PostForm>
  );
}
