import type { Page } from '../platform/http/page.js';
import { Button, Card, Field, Notice, PostForm } from '../platform/http/page-elements.js';
import { inWords } from '../platform/http/error.page.js';

export interface LoginPageProps {
  readonly action: string;
  readonly csrf: string;
  /** The sealed authorization request to go on with. */
  readonly request?: string;
  readonly email?: string;
  readonly problem?: 'refused' | 'locked';
  /** How long `locked` lasts. */
  readonly retryAfterSeconds?: number;
}

/** One text for every refused sign-in: it must not tell whether the account exists (RFC 9700, W23). */
export function loginPage({ action, csrf, request, email, problem, retryAfterSeconds = 0 }: LoginPageProps): Page {
  const refused = problem === 'refused';
  const errorId = refused ? 'problem' : undefined;
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
        <PostForm action={action} hidden={{ csrf, request }} class="stack">
          <Field
            label="E-mail address"
            name="email"
            type="email"
            autocomplete="username"
            value={email}
            errorId={errorId}
            autofocus={email === undefined}
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
      </Card>
    ),
  };
}
