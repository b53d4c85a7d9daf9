import { parseForm, type Form } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import type { MintResource } from '../resources/resource.js';

/** An authorization request whose redirect may be trusted: from here on failures go back to the client. */
export interface ReturnAddress {
  readonly client: Client;
  readonly redirectUri: string;
  readonly state?: string;
}

/** A request that was found to be in order, as of one policy epoch. */
export interface AuthorizationRequest extends ReturnAddress {
  readonly resource: MintResource;
  readonly policyEpoch: number;
  readonly scopes: readonly RequestedScope[];
  readonly codeChallenge: string;
  /** The key that the code will be bound to (RFC 9449 §10). */
  readonly dpopJkt?: string;
  readonly prompt: readonly string[];
}

export interface RequestedScope {
  readonly name: string;
  readonly description: string;
  /** Whether the client asked for it, or it is granted unless the person unticks it. */
  readonly ticked: boolean;
}

/** The parameters of the request that this server reads; they are what travels through the pages. */
const PARAMETERS = [
  'response_type',
  'client_id',
  'redirect_uri',
  'state',
  'scope',
  'resource',
  'code_challenge',
  'code_challenge_method',
  'dpop_jkt',
  'prompt',
] as const;

export const relevantParameters = (form: Form): Form =>
  new Map(PARAMETERS.flatMap((name) => (form.has(name) ? [[name, form.get(name)!] as const] : [])));

/** Where an answer goes, and what it carries back. */
const ADDRESS: ReadonlySet<string | undefined> = new Set(['client_id', 'redirect_uri', 'state']);

/**
 * The parameters of the return address, read apart from the others: what is wrong with those is told to the client
 * (RFC 6749 §4.1.2.1).
 *
 * @throws OAuthError for a page, when one of these is itself repeated or malformed
 */
export const addressParameters = (query: string): Form =>
  parseForm(
    query
      .split('&')
      .filter((pair) => ADDRESS.has(new URLSearchParams(pair).keys().next().value))
      .join('&'),
  );

/** The values of `prompt` (OpenID Connect Core §3.1.2.1), which clients of the Model Context Protocol send as well. */
export const promptsOf = (form: Form): string[] => (form.get('prompt') ?? '').split(' ').filter(Boolean);
