import { errorStatus } from '#libs/oauth';
import { errorReference, type Entry } from './error-reference.js';

/** docs/reference/errors.md: what `/errors` shows, and beside each cause the private word under which the operator meets it. */
export function renderErrorsReference(): string {
  const lines = [
    '<!-- Generated from libs/oauth. Do not edit: `UPDATE_REFERENCE=1 npx vitest run src/diagnostics/errors-reference-document.spec.ts` -->',
    '# Errors',
    '',
    'An answer that says no has a code in its member `error`, one sentence in `error_description`, and in `error_uri` the address of the',
    'page that explains it: `/errors/{code}#{symptom}` on the server itself. A symptom may have several causes, and its page shows them all,',
    'so that neither the answer nor the page tells a stranger which one it was. The operator finds the *reason* in the audit, on the row with',
    'the `request_id` of the answer (`authserver admin audit list --json`).',
    '',
    'A word in braces is filled in when the error happens.',
    '',
    ...[...errorReference].flatMap(([code, entries]) => renderCode(code, entries)),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function renderCode(code: string, entries: readonly Entry[]): string[] {
  return [`## \`${code}\``, '', ...entries.flatMap(renderSymptom)];
}

function renderSymptom({ slug, symptom }: Entry): string[] {
  const { code, description, see, reasons, status = errorStatus[code] } = symptom;
  return [
    `<a id="${slug}"></a>`,
    '',
    `### ${description}`,
    '',
    `HTTP ${status} · ${see} · \`${slug}\``,
    '',
    '| Reason | Cause | Fix |',
    '|---|---|---|',
    ...Object.entries(reasons).map(
      ([reason, { cause, fix }]) => `| \`${reason}\` | ${inCell(cause)} | ${inCell(fix)} |`,
    ),
    '',
  ];
}

/** A bar ends a cell. */
const inCell = (text: string): string => text.replaceAll('|', '\\|');
