import { errorStatus, type ErrorCode, type Symptom } from './symptom.js';
import { symptoms, type ReasonOf, type SymptomSlug } from './symptoms.js';

export interface ErrorOptions {
  /** Values for the `{name}`s of the public description. Made safe here; never put a secret in. */
  readonly fill?: Readonly<Record<string, string>>;
  /** For the operator only: what was expected, what was received. Never a secret, token or e-mail address. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the caller: further members of the body, such as `consent_url`. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * A failure with a public face (`code`, `status`, `description`) and a private one (`reason`, `facts`).
 *
 * Thrown by any layer, written by the one filter that stands at the edge.
 */
export class OAuthError<S extends SymptomSlug = SymptomSlug> extends Error {
  override readonly name = 'OAuthError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly description: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    readonly symptom: S,
    readonly reason: ReasonOf<S>,
    options: ErrorOptions = {},
  ) {
    const { code, description, status }: Symptom = symptoms[symptom];
    const text = description.replace(/\{(\w+)\}/g, (_, name: string) => options.fill?.[name] ?? '');
    super(`${code}: ${reason}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = status ?? errorStatus[code];
    this.description = toDescription(text);
    this.headers = { ...defaultHeaders(code), ...options.headers };
    this.facts = options.facts ?? {};
    this.members = options.members ?? {};
  }
}

/** RFC 6749 §5.2: `error_description` holds %x20-21 / %x23-5B / %x5D-7E only. Bounded, so that an error cannot amplify. */
function toDescription(text: string): string {
  return text
    .replaceAll('"', "'")
    .replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?')
    .slice(0, 500);
}

function defaultHeaders(code: ErrorCode): Record<string, string> {
  if (code === 'invalid_client') return { 'WWW-Authenticate': 'Basic realm="authserver"' };
  if (code === 'temporarily_unavailable') return { 'Retry-After': '2' };
  return {};
}
