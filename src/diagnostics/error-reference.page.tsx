import type { JSX } from 'preact';
import { errorStatus, type ErrorCode } from '#libs/oauth';
import type { Page } from '../platform/http/page.js';
import { Card } from '../platform/http/page-elements.js';
import type { Entry } from './error-reference.js';

type Href = (path: `/${string}`) => string;

/** `/errors`: every code with its symptoms. */
export function errorIndexPage(reference: ReadonlyMap<string, readonly Entry[]>, href: Href): Page {
  return {
    title: 'Errors',
    wide: true,
    body: (
      <div class="stack">
        <div class="tight">
          <h1>Errors</h1>
          <p class="quiet">What this server answers when it says no, why, and what to do about it.</p>
        </div>
        {[...reference].map(([code, entries]) => (
          <Card key={code} labelledBy={code}>
            <h2 id={code}>
              <a href={href(`/errors/${code}`)}>
                <code>{code}</code>
              </a>
            </h2>
            <ul class="tight">
              {entries.map(({ slug, symptom }) => (
                <li key={slug}>
                  <a href={`${href(`/errors/${code}`)}#${slug}`}>
                    <Description text={symptom.description} />
                  </a>
                </li>
              ))}
            </ul>
          </Card>
        ))}
      </div>
    ),
  };
}

/** `/errors/{code}`: a symptom shows all its causes, so that the page tells a caller nothing about which one it was (W2). */
export function errorCodePage(code: string, entries: readonly Entry[], href: Href): Page {
  return {
    title: code,
    wide: true,
    body: (
      <div class="stack">
        <div class="tight">
          <p class="small">
            <a href={href('/errors')}>All errors</a>
          </p>
          <h1>
            <code>{code}</code>
          </h1>
        </div>
        {entries.map((entry) => (
          <SymptomCard key={entry.slug} {...entry} />
        ))}
      </div>
    ),
  };
}

function SymptomCard({ slug, symptom }: Entry): JSX.Element {
  const status = symptom.status ?? errorStatus[symptom.code satisfies ErrorCode];
  const causes = Object.values(symptom.reasons);
  return (
    <section class="card symptom" id={slug} aria-labelledby={`${slug}-title`}>
      <div class="tight">
        <h2 id={`${slug}-title`}>
          <Description text={symptom.description} />
        </h2>
        <p class="quiet small">{`HTTP ${status} · ${symptom.see}`}</p>
      </div>
      <div class="stack">
        <p>
          {causes.length === 1
            ? 'The cause, and what to do:'
            : 'One of these is the cause. The operator sees which, under the request id.'}
        </p>
        <ul class="causes">
          {causes.map(({ cause, fix }) => (
            <li key={cause}>
              <p>
                <Prose text={cause} />
              </p>
              {fix && (
                <p class="quiet">
                  <Prose text={fix} />
                </p>
              )}
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

/** A description with its blanks: `{scope}` is filled in when the error happens. */
function Description({ text }: { text: string }): JSX.Element {
  return <>{text.split(/(\{\w+\})/).map((part) => (part.startsWith('{') ? <var>{part.slice(1, -1)}</var> : part))}</>;
}

/** A sentence in which commands stand between backticks. */
function Prose({ text }: { text: string }): JSX.Element {
  return <>{text.split('`').map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}</>;
}
