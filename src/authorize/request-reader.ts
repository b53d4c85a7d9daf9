import { Injectable } from '@nestjs/common';
import { fromBase64Url, isCodeChallenge, matchesRedirectUri, OAuthError, parseScope, type Form } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { Clients } from '../clients/clients.js';
import { Config } from '../config/config.js';
import { isMint, type MintResource, type ResourceSnapshot } from '../resources/resource.js';
import { requireMint, Resources } from '../resources/resources.js';
import {
  promptsOf,
  type AuthorizationRequest,
  type RequestedScope,
  type ReturnAddress,
} from './authorization-request.js';

/**
 * Reads an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1) in two steps, for the two ways in which it can fail:
 * before the redirect is trusted the person gets a page, after it the client gets its error (RFC 9700 §4.11.2).
 */
@Injectable()
export class RequestReader {
  constructor(
    private readonly clients: Clients,
    private readonly resources: Resources,
    private readonly config: Config,
  ) {}

  /** @throws OAuthError for a page: unknown client, redirect not registered, metadata document unavailable */
  async returnAddress(form: Form): Promise<ReturnAddress> {
    const client = await this.#client(form.get('client_id'));
    return { client, redirectUri: redirectUriOf(form, client), state: form.get('state') };
  }

  /** @throws OAuthError for the client, at its return address */
  async read(form: Form, to: ReturnAddress): Promise<AuthorizationRequest> {
    const facts = { clientId: to.client.id };
    if (form.get('response_type') !== 'code')
      throw new OAuthError('response-type-unsupported', 'response_type_unsupported', { facts });
    if (!to.client.grantTypes.includes('authorization_code')) {
      throw new OAuthError('code-flow-not-registered', 'code_flow_not_registered', { facts });
    }
    const codeChallenge = challengeOf(form, facts);
    const dpopJkt = keyOf(form, facts);
    const prompt = promptsOf(form);
    if (prompt.includes('none')) throw new OAuthError('prompt-none', 'prompt_unsupported', { facts });
    const asked = form.has('scope')
      ? parseScope(form.get('scope')!).filter((scope) => scope !== 'offline_access')
      : undefined;
    const snapshot = await this.resources.current();
    const resource = this.#resource(form.get('resource'), asked ?? [], snapshot, to.client);
    const scopes = this.#scopes(asked, resource, to.client);
    return { ...to, resource, policyEpoch: snapshot.epoch, scopes, codeChallenge, dpopJkt, prompt };
  }

  async #client(id: string | undefined): Promise<Client> {
    if (id === undefined) throw new OAuthError('application-unknown', 'client_missing');
    const client = await this.clients.forAuthorization(id).catch((error: unknown) => {
      if (!(error instanceof OAuthError) || error.reason !== 'metadata_document_wrong') throw error;
      throw new OAuthError('application-unknown', 'metadata_document_wrong', { facts: error.facts, cause: error });
    });
    const facts = { clientId: id };
    if (!client) throw new OAuthError('application-unknown', 'client_unknown', { facts });
    if (client.status === 'suspended') throw new OAuthError('application-unknown', 'client_suspended', { facts });
    if (client.status === 'revoked') throw new OAuthError('application-unknown', 'client_revoked', { facts });
    return client;
  }

  /** The resource named, or the one that is meant (W12). */
  #resource(
    uri: string | undefined,
    asked: readonly string[],
    resources: ResourceSnapshot,
    client: Client,
  ): MintResource {
    if (uri !== undefined) return requireMint(resources, uri);
    const declaresAll = (resource: MintResource): boolean =>
      asked.every((scope) => resource.scopes.some(({ name }) => name === scope));
    const candidates = resources.all.filter(isMint).filter(declaresAll);
    if (candidates.length === 1) return candidates[0]!;
    const fallback = client.defaultResource ?? this.config.oauth.defaultResource;
    if (fallback !== undefined) return requireMint(resources, fallback);
    throw new OAuthError('resource-required', 'resource_ambiguous', {
      facts: { clientId: client.id, candidates: candidates.length },
    });
  }

  /** What was asked for, each checked; or, when nothing was, what the resource declares within the client's ceiling (W38). */
  #scopes(asked: readonly string[] | undefined, resource: MintResource, client: Client): RequestedScope[] {
    const within = (name: string): boolean => client.scope.length === 0 || client.scope.includes(name);
    const facts = { clientId: client.id, resource: resource.uri };
    if (asked === undefined && this.config.oauth.requireScope)
      throw new OAuthError('scope-empty', 'scope_missing', { facts });
    if (asked === undefined || asked.length === 0) {
      const offered = resource.scopes.filter(({ name }) => within(name));
      if (offered.length === 0 && resource.scopes.length > 0)
        throw new OAuthError('scope-empty', 'scope_nothing_left', { facts });
      return offered.map(({ name, description, default: ticked }) => ({ name, description, ticked }));
    }
    return asked.map((name) => {
      const declared = resource.scopes.find((scope) => scope.name === name);
      const fill = { scope: name, resource: resource.uri };
      if (!declared) throw new OAuthError('scope-unknown', 'scope_not_in_catalog', { fill, facts });
      if (!within(name)) throw new OAuthError('scope-above-ceiling', 'scope_above_ceiling', { fill, facts });
      return { name, description: declared.description, ticked: true };
    });
  }
}

function redirectUriOf(form: Form, client: Client): string {
  const presented = form.get('redirect_uri');
  const facts = { clientId: client.id };
  if (presented === undefined) {
    const [only, ...others] = client.redirectUris;
    if (only !== undefined && others.length === 0) return only;
    throw new OAuthError('redirect-not-registered', 'redirect_missing', { facts });
  }
  if (client.redirectUris.some((registered) => matchesRedirectUri(registered, presented))) return presented;
  throw new OAuthError('redirect-not-registered', 'redirect_not_registered', {
    facts: { ...facts, expected: client.redirectUris.slice(0, 10), received: presented },
  });
}

function challengeOf(form: Form, facts: object): string {
  const challenge = form.get('code_challenge');
  const options = { facts: { ...facts } };
  if (challenge === undefined) throw new OAuthError('challenge-required', 'challenge_missing', options);
  if (form.get('code_challenge_method') !== 'S256')
    throw new OAuthError('challenge-required', 'challenge_method_unsupported', options);
  if (!isCodeChallenge(challenge)) throw new OAuthError('challenge-required', 'challenge_malformed', options);
  return challenge;
}

/** A SHA-256 thumbprint, or nothing. */
function keyOf(form: Form, facts: object): string | undefined {
  const jkt = form.get('dpop_jkt');
  if (jkt === undefined || fromBase64Url(jkt)?.length === 32) return jkt;
  throw new OAuthError('parameter-malformed', 'parameter_malformed', {
    fill: { parameter: 'dpop_jkt' },
    facts: { ...facts },
  });
}
