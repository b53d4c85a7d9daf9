import { isIP } from 'node:net';
import { parseJson } from '#libs/oauth';
import { isInternalOrPublicAddress } from '../platform/http-client/address-rules.js';
import { FetchRefused } from '../platform/http-client/fetch-errors.js';
import { outgoingUrl } from '../platform/http-client/outgoing-url.js';
import { isSecretReference, secretReferenceRule } from '../config/secret-references.js';
import { UpstreamMisconfigured } from './upstream-errors.js';

/** What is wrong with `config_data`, naming the member and what it may be; never what it is. */
export class ProviderConfigWrong extends Error {
  override readonly name = 'ProviderConfigWrong';

  constructor(member: string, expectation: string) {
    super(`config_data${member && `.${member}`} ${expectation}`);
  }
}

const MAX_CONFIG = 64 * 1024;
const printable = /^[\x20-\x7e]*$/;

/**
 * Reads the members of a provider's `config_data`, each of which is of one kind and bounded. Whatever a connector does not ask for is
 * refused by `end`: a misspelt switch would be one that is off.
 */
export class ProviderConfig {
  readonly #members: ReadonlyMap<string, unknown>;
  readonly #read = new Set<string>();
  readonly #allowHttp: boolean;

  /**
   * @param defaults what a preset says where the operator says nothing
   * @param allowHttp plain http, in development
   * @throws ProviderConfigWrong
   */
  constructor(text: string, { defaults = {}, allowHttp = false }: { defaults?: object; allowHttp?: boolean } = {}) {
    this.#members = new Map(Object.entries({ ...defaults, ...objectOf(text) }));
    this.#allowHttp = allowHttp;
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Printable ASCII. */
  text(name: string, { max = 2048 } = {}): string | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value !== '' && value.length <= max && printable.test(value)) return value;
    throw new ProviderConfigWrong(name, `must be text of 1 to ${max} printable ASCII characters`);
  }

  required(name: string, hint = ''): string {
    const value = this.text(name);
    if (value === undefined) throw new ProviderConfigWrong(name, `is required${hint}`);
    return value;
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.#value(name) ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw new ProviderConfigWrong(name, 'must be true or false');
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const value = this.#value(name);
    const word = words.find((candidate) => candidate === value);
    if (value === undefined || word !== undefined) return word;
    throw new ProviderConfigWrong(name, `must be one of ${words.map((each) => JSON.stringify(each)).join(', ')}`);
  }

  /** A URL that this server asks, or sends a browser to. */
  url(name: string): string | undefined {
    const value = this.text(name);
    if (value !== undefined && !this.#mayBeAsked(value)) {
      const scheme = this.#allowHttp ? 'http or https' : 'https';
      throw new ProviderConfigWrong(
        name,
        `must be an ${scheme} URL without userinfo and fragment, of a host that may be asked`,
      );
    }
    return value;
  }

  requiredUrl(name: string): string {
    this.required(name);
    return this.url(name) as string;
  }

  words(name: string, { max = 50 } = {}): string[] {
    const value = this.#value(name) ?? [];
    if (Array.isArray(value) && value.length <= max && value.every(isWord)) return value;
    throw new ProviderConfigWrong(name, `must be a list of at most ${max} words without spaces`);
  }

  /** An object of text pairs. */
  pairs(name: string, reserved: ReadonlySet<string>, { max = 20 } = {}): Readonly<Record<string, string>> {
    const value = this.#value(name) ?? {};
    const entries = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value as object) : undefined;
    if (!entries || entries.length > max || !entries.every((pair) => pair.every(isShortText)))
      throw new ProviderConfigWrong(name, `must be an object of at most ${max} pairs of text`);
    const taken = entries.map(([key]) => key).find((key) => reserved.has(key.toLowerCase()));
    if (taken !== undefined) throw new ProviderConfigWrong(name, `must not set ${taken}: this server does`);
    return Object.fromEntries(entries) as Record<string, string>;
  }

  /**
   * The name of the variable that holds a secret.
   *
   * @param names the present spelling, then those of old
   */
  secretReference(...names: readonly string[]): string | undefined {
    const given = names.filter((name) => this.#value(name) !== undefined);
    const [name, other] = given;
    if (name === undefined) return undefined;
    if (other !== undefined) throw new ProviderConfigWrong(other, `and config_data.${name} exclude each other`);
    const value = this.text(name);
    if (value !== undefined && isSecretReference(value)) return value;
    throw new ProviderConfigWrong(name, secretReferenceRule);
  }

  /** @throws ProviderConfigWrong naming a member that nobody asked for */
  end(): void {
    const stranger = [...this.#members.keys()].find((name) => !this.#read.has(name));
    if (stranger === undefined) return;
    const shown = /^[\w.-]{1,64}$/.test(stranger) ? stranger : 'a member';
    throw new ProviderConfigWrong('', `has ${shown}, which is not known; known: ${[...this.#read].join(', ')}`);
  }

  #value(name: string): unknown {
    this.#read.add(name);
    return this.#members.get(name) ?? undefined;
  }

  #mayBeAsked(url: string): boolean {
    try {
      const { host } = outgoingUrl(url, { trust: 'operator', allowHttp: this.#allowHttp });
      return isIP(host) === 0 || isInternalOrPublicAddress(host);
    } catch (error) {
      if (error instanceof FetchRefused) return false;
      throw error;
    }
  }
}

/** For a row that was good when it was stored, and no longer is: by a change of the issuer, or of what is known. */
export function asConfigured<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof ProviderConfigWrong ? new UpstreamMisconfigured('config_data') : error;
  }
}

function objectOf(text: string): object {
  if (text.length > MAX_CONFIG) throw new ProviderConfigWrong('', `must be at most ${MAX_CONFIG} characters`);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new ProviderConfigWrong('', 'must be JSON in which no member occurs twice');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ProviderConfigWrong('', 'must be a JSON object');
}

const isWord = (value: unknown): value is string => typeof value === 'string' && /^[\x21-\x7e]{1,256}$/.test(value);
const isShortText = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= 512 && printable.test(value);
