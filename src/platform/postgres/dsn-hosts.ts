/** Where one server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 5432;
const AUTHORITY = /^(postgres(?:ql)?:\/\/)((?:[^@/?#]*@)?)([^/?#]*)(.*)$/s;

/**
 * The hosts of a connection string that names several, as libpq spells it (`postgres://user@one:5432,two:5432/database`), which the driver
 * cannot read.
 *
 * @returns the string with the first host alone, and all of them; undefined when it is no such string
 */
export function splitHosts(
  dsn: string,
): { readonly first: string; readonly addresses: readonly Address[] } | undefined {
  const [, scheme = '', user = '', hosts = '', rest = ''] = AUTHORITY.exec(dsn) ?? [];
  if (scheme === '') return undefined;
  const addresses = hosts.split(',').map(addressOf);
  if (!addresses.every((address) => address !== undefined)) return undefined;
  const first = `${scheme}${user}${hosts.split(',')[0]}${rest}`;
  return URL.canParse(first) ? { first, addresses } : undefined;
}

/** `host`, `host:port`, `[::1]:port` or a percent-encoded directory; an empty one is the driver's default. */
function addressOf(written: string): Address | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(written) ?? [];
  if (bracketed === undefined && plain === undefined) return undefined;
  try {
    return { host: bracketed ?? decodeURIComponent(plain ?? ''), port: port ? Number(port) : DEFAULT_PORT };
  } catch {
    return undefined;
  }
}
