import { ValidateBy } from 'class-validator';
import ipaddr from 'ipaddr.js';
import { redirectKind } from '#libs/oauth';
import { parseDuration } from './duration.js';
import { issuerProblem } from './issuer.js';
import { parseListenAddress } from './listen-address.js';
import { otlpUrl } from './otlp-endpoint.js';

/** Says what is wrong with one value, or undefined. */
type Problem = (value: string) => string | undefined;

interface Check extends PropertyDecorator {
  readonly problem: Problem;
}

function check(name: string, problem: Problem): Check {
  const decorator = ValidateBy({
    name,
    validator: {
      validate: (value: unknown) => typeof value !== 'string' || problem(value) === undefined,
      defaultMessage: (failed) => problem(String(failed?.value)) ?? '',
    },
  });
  return Object.assign(decorator, { problem });
}

const must =
  (what: string, holds: (value: string) => boolean): Problem =>
  (value) =>
    holds(value) ? undefined : `must be ${what}`;

/** The same check for every entry of a list; the message names the entry. */
export function Each(entry: Check): PropertyDecorator {
  const firstProblem = (entries: unknown): string | undefined => {
    if (!Array.isArray(entries)) return undefined;
    const wrong: unknown = entries.find((value) => entry.problem(String(value)) !== undefined);
    return wrong === undefined
      ? undefined
      : `has the entry "${String(wrong)}", which ${entry.problem(String(wrong)) ?? ''}`;
  };
  return ValidateBy({
    name: 'each',
    validator: {
      validate: (value: unknown) => firstProblem(value) === undefined,
      defaultMessage: (failed) => firstProblem(failed?.value) ?? '',
    },
  });
}

const hasScheme = (value: string, ...schemes: string[]): boolean =>
  URL.canParse(value) && schemes.includes(new URL(value).protocol);

export const IsIssuer = (): Check => check('isIssuer', issuerProblem);

export const IsListenAddress = (): Check =>
  check(
    'isListenAddress',
    must('host:port or :port', (value) => parseListenAddress(value) !== undefined),
  );

/** `*` and `null` are no origins: either would let any site drive the admin API of whoever visits it. */
export const IsOrigin = (): Check =>
  check(
    'isOrigin',
    must('an exact origin such as https://admin.example.com (no *, path or trailing slash)', (value) => {
      return hasScheme(value, 'https:', 'http:') && new URL(value).origin === value;
    }),
  );

export const IsAbsoluteUri = (): Check =>
  check(
    'isAbsoluteUri',
    must('an absolute URI without fragment', (value) => URL.canParse(value) && !value.includes('#')),
  );

export const IsDays = (): Check =>
  check(
    'isDays',
    must(
      'a number of days such as 7d, at most 365d',
      (value) => /^[1-9]\d{0,2}d$/.test(value) && parseInt(value, 10) <= 365,
    ),
  );

export const IsCidr = (): Check =>
  check(
    'isCidr',
    must('a CIDR such as 10.0.0.0/8', (value) => ipaddr.isValidCIDR(value)),
  );

export const IsDsn = (): Check =>
  check(
    'isDsn',
    must('a postgres:// URL of servers that can be written to', (value) => {
      const [, before, hosts = '', after = ''] =
        /^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)([^/?#]*)(.*)$/s.exec(value) ?? [];
      const target = /[?&]target_session_attrs=([\w-]*)/.exec(value)?.[1] ?? 'read-write';
      return (
        before !== undefined &&
        // Each of several hosts by itself, which is how the driver gets to see them.
        hosts.split(',').every((host) => URL.canParse(`${before}${host}${after}`)) &&
        ['read-write', 'primary', 'any'].includes(target)
      );
    }),
  );

export const IsRedisUrl = (): Check =>
  check(
    'isRedisUrl',
    must('a redis:// or rediss:// URL', (value) => hasScheme(value, 'redis:', 'rediss:')),
  );

export const IsHttpsOrPathUrl = (): Check =>
  check(
    'isHttpsOrPathUrl',
    must('an https URL, or a path that begins with one slash', (value) => {
      return hasScheme(value, 'https:') || /^\/(?![/\\])[\x21-\x7e]*$/.test(value);
    }),
  );

/** Where a person's browser is sent back to: by nothing else is an application on it known. */
export const IsReturnUrl = (): Check =>
  check(
    'isReturnUrl',
    must('an https URL (http on localhost) without fragment and user name', (value) => {
      return ['https', 'loopback'].includes(redirectKind(value) ?? '');
    }),
  );

/** What is called with paths added: nothing may stand behind its own path. */
export const IsHttpUrl = (): Check =>
  check(
    'isHttpUrl',
    must('an https URL without user, query or fragment', (value) => {
      return hasScheme(value, 'https:', 'http:') && !/[?#@\\]/.test(value);
    }),
  );

export const IsOtlpEndpoint = (): Check =>
  check(
    'isOtlpEndpoint',
    must(
      'a URL without user, query or fragment, or host:port',
      (value) => otlpUrl(value, true, 'traces') !== undefined,
    ),
  );

/** Of plain segments, and none that the listener has a route at. */
export const IsMetricsPath = (): Check =>
  check(
    'isMetricsPath',
    must('a path such as /metrics, not below /admin, and not that of a probe', (value) => {
      return (
        /^(?:\/[\w.-]+)+$/.test(value) && !/^\/(?:admin(?:\/|$)|livez$|ready$|health$)|\/\.\.?(?:\/|$)/.test(value)
      );
    }),
  );

/** Segments that neither leave the path nor need encoding. */
export const IsVaultPath = (): Check =>
  check(
    'isVaultPath',
    must('a path such as transit or team/transit', (value) => {
      return value.length <= 200 && /^\w[\w-]*(?:\/\w[\w-]*)*$/.test(value);
    }),
  );

export const IsVaultKeyName = (): Check =>
  check(
    'isVaultKeyName',
    must('a key name of letters, digits, _, - and .', (value) => /^\w(?:[\w.-]{0,126}\w)?$/.test(value)),
  );

/** What goes into a header as it is, such as a token. */
export const IsHeaderText = (): Check =>
  check(
    'isHeaderText',
    must('printable characters without spaces', (value) => /^[\x21-\x7e]{1,4096}$/.test(value)),
  );

export const IsHostName = (): Check =>
  check(
    'isHostName',
    must('a host name without scheme, port or wildcard', (value) => {
      return (
        /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*$/i.test(value) ||
        ipaddr.isValid(value)
      );
    }),
  );

/** RFC 8252 §7.1 wants a reversed domain name; applications in the field use one word too. Never one a browser acts on. */
export const IsPrivateUseScheme = (): Check =>
  check(
    'isPrivateUseScheme',
    must('a private-use scheme such as com.example.app, without a colon', (value) => {
      return /^[a-z][a-z0-9+.-]*$/.test(value) && !dangerousSchemes.includes(value);
    }),
  );

const dangerousSchemes: readonly string[] = [
  'http',
  'https',
  'javascript',
  'data',
  'file',
  'vbscript',
  'blob',
  'about',
  'ws',
  'wss',
  'ftp',
];

export const IsScopeList = (): Check =>
  check(
    'isScopeList',
    must('scopes separated by single spaces (RFC 6749 §3.3)', (value) => {
      return value === '' || /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(value);
    }),
  );

export const IsOffOrDuration = (least: string): Check =>
  check(
    'isOffOrDuration',
    must(`off, or a duration such as 15m of at least ${least}`, (value) => {
      return value === 'off' || (parseDuration(value) ?? 0) >= (parseDuration(least) ?? 0);
    }),
  );

/** What this server says itself in an authorization request, and what would take its answer elsewhere. */
const ownParameters: ReadonlySet<string> = new Set([
  'client_id',
  'response_type',
  'response_mode',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'request',
  'request_uri',
]);

export const IsAuthorizationParameters = (): Check =>
  check(
    'isAuthorizationParameters',
    must('a mapping of texts, none of them a parameter that this server sends itself', (value) => {
      return Object.entries(JSON.parse(value) as object).every(
        ([name, text]) => typeof text === 'string' && /^\w{1,64}$/.test(name) && !ownParameters.has(name),
      );
    }),
  );
