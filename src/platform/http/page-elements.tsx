import type { ComponentChildren, JSX } from 'preact';

/** The few elements that pages are made of. */

export function Card({ children, labelledBy }: { children: ComponentChildren; labelledBy?: string }): JSX.Element {
  return (
    <section class="card" aria-labelledby={labelledBy}>
      {children}
    </section>
  );
}

export interface NoticeProps {
  /** `bad`: it failed; `care`: think before going on; `good`: it is done. */
  readonly kind?: 'bad' | 'care' | 'good';
  readonly title?: string;
  readonly id?: string;
  readonly children?: ComponentChildren;
}

/** Failures are announced at once (`alert`), things done when the reader pauses (`status`). */
export function Notice({ kind, title, id, children }: NoticeProps): JSX.Element {
  const role = kind === 'bad' ? 'alert' : kind === 'good' ? 'status' : undefined;
  return (
    <div class={kind ? `notice ${kind}` : 'notice'} id={id} role={role}>
      {title && <strong>{title}</strong>}
      {children && <div>{children}</div>}
    </div>
  );
}

export interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly type: 'email' | 'password' | 'text';
  readonly autocomplete: string;
  readonly value?: string;
  readonly hint?: string;
  /** The id of the text that says what is wrong. */
  readonly errorId?: string;
  readonly minLength?: number;
  readonly autofocus?: boolean;
}

export function Field({ label, name, hint, errorId, autofocus, minLength, ...input }: FieldProps): JSX.Element {
  const hintId = hint && `${name}-hint`;
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        required
        autocapitalize="none"
        spellcheck={false}
        minlength={minLength}
        autofocus={autofocus}
        aria-invalid={errorId ? 'true' : undefined}
        aria-describedby={[errorId, hintId].filter(Boolean).join(' ') || undefined}
        {...input}
      />
      {hint && (
        <span class="quiet small" id={hintId}>
          {hint}
        </span>
      )}
    </div>
  );
}

export interface ButtonProps {
  readonly kind?: 'primary' | 'minor' | 'link';
  readonly name?: string;
  readonly value?: string;
  readonly children: ComponentChildren;
}

export function Button({ kind, name, value, children }: ButtonProps): JSX.Element {
  return (
    <button type="submit" class={kind} name={name} value={value}>
      {children}
    </button>
  );
}

/** A form that is posted to us, with what it carries along. A field without a value is left out. */
export function PostForm(props: {
  action: string;
  hidden: Readonly<Record<string, string | undefined>>;
  class?: string;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <form method="post" action={props.action} class={props.class}>
      {Object.entries(props.hidden).map(
        ([name, value]) => value !== undefined && <input type="hidden" name={name} value={value} key={name} />,
      )}
      {props.children}
    </form>
  );
}

/** Text for those who listen, where the others see it from the layout. */
export function Unseen({ children }: { children: ComponentChildren }): JSX.Element {
  return <span class="unseen">{children}</span>;
}

export function Day({ date }: { date: Date }): JSX.Element {
  const iso = date.toISOString();
  return (
    <time dateTime={iso}>
      {date.toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })}
    </time>
  );
}
