import { Injectable } from '@nestjs/common';
import { grantType, OAuthError, type Form } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { Config } from '../config/config.js';
import type { Proof } from '../dpop/dpop-verifier.js';
import { isMint, type MintResource, type ResourceSnapshot } from '../resources/resource.js';
import { requireMint } from '../resources/resources.js';
import type { AccessToken, IssuanceState } from '../tokens/access-token-reader.js';
import type { Actor, ActorChain, Authorization } from '../tokens/authorization.js';
import { extendChain } from './actor-chain.js';
import { ConsentGate } from './consent-gate.js';
import { exchangePaths, type Exchange } from './exchange-paths.js';
import { readExchange } from './exchange-request.js';
import { exchangeScopes } from './exchange-scopes.js';
import { ExchangeTokens } from './exchange-tokens.js';
import { Grant } from './grant.js';
import { requireBinding } from './subject-binding.js';

/** RFC 8693: a token for one resource becomes one for another, for the same subject, and tells who acts. Never wider, never longer. */
@Injectable()
export class TokenExchangeGrant extends Grant {
  readonly type = grantType.tokenExchange;
  override readonly switchedBy: { setting: string; on: boolean };

  constructor(
    private readonly tokens: ExchangeTokens,
    private readonly consentGate: ConsentGate,
    private readonly config: Config,
  ) {
    super();
    this.switchedBy = { setting: 'token_exchange.enabled', on: config.tokenExchange.enabled };
  }

  async authorize(form: Form, acting: Client, resources: ResourceSnapshot, proof?: Proof): Promise<Authorization> {
    if (acting.tokenEndpointAuthMethod === 'none') {
      throw new OAuthError('client-authentication-failed', 'credentials_missing', { facts: { clientId: acting.id } });
    }
    const request = readExchange(form);
    const token = await this.tokens.subject(request.subjectToken, acting);
    if (request.actorToken !== undefined) await this.tokens.requireActor(request.actorToken, acting, proof);

    const subject = token.state;
    const source = audienceOf(token, resources);
    requireBinding(token, acting, source, proof);
    const target = request.resource === undefined ? source : requireMint(resources, request.resource);
    const { allowSelfExchange } = this.config.tokenExchange;
    const exchange: Exchange = { acting, subject, resources, target, named: form.has('resource'), allowSelfExchange };
    const path = exchangePaths.find(({ applies }) => applies(exchange))!;
    const forbidden = path.forbidden(exchange);
    const facts = {
      clientId: acting.id,
      subject_client: subject.clientId,
      resource: target?.slug,
      chain_kind: path.kind,
    };
    if (forbidden) throw new OAuthError('exchange-denied', forbidden, { facts });

    const chain = this.#chain(token, acting, facts);
    const declared = target?.scopes.map(({ name }) => name);
    const bounds = { held: path.held(exchange), declared, ceiling: acting.scope };
    const possible = exchangeScopes(request.scopes, bounds, target?.uri);
    const { consentId, scopes } =
      target && path.asksConsent(exchange)
        ? await this.consentGate.pass(subject, acting, target, { requested: request.scopes, possible })
        : { consentId: subject.consentId ?? undefined, scopes: possible };
    return {
      grantType: this.type,
      client: acting,
      person:
        subject.userId === null ? undefined : { id: subject.userId, version: subject.userVersion ?? 0, consentId },
      resource: target,
      policyEpoch: resources.epoch,
      scopes,
      derivation: {
        parentJti: subject.jti,
        ancestors: [...subject.ancestors, subject.jti],
        familyId: subject.familyId,
        originClientId: originOf(subject),
        subjectClientId: subject.clientId,
        subject: subject.subject,
        expiresAt: subject.expiresAt,
        kind: path.kind,
        chain,
        via: path.via(exchange) ?? (subject.resourceId === target?.id ? (token.claims['via'] as string) : undefined),
      },
    };
  }

  #chain({ claims, state }: AccessToken, { id, agentConfirmed }: Client, facts: object): ActorChain {
    const soFar = {
      act: claims['act'] as Actor | undefined,
      agentChain: state.agentChain,
      clientId: state.clientId,
      originClientId: originOf(state),
      ancestors: state.ancestors.length,
    };
    const chain = extendChain(soFar, { id, agent: agentConfirmed }, this.config.tokenExchange.maxChainDepth);
    if (typeof chain === 'string') throw new OAuthError('exchange-denied', chain, { facts: { ...facts } });
    return chain;
  }
}

/** Where the chain began: the client that the person allowed; a machine's token is about the machine. */
const originOf = ({ consentClientId, userId, clientId, subject }: IssuanceState): string =>
  consentClientId ?? (userId === null ? subject : clientId);

/**
 * The resource that the subject token is for, if it names one.
 *
 * @throws OAuthError when that resource is gone or has moved to another URI: no other audience, and no other path, takes its place
 */
function audienceOf({ claims, state }: AccessToken, resources: ResourceSnapshot): MintResource | undefined {
  if (state.resourceId === null) return undefined;
  const resource = resources.byId(state.resourceId);
  if (isMint(resource) && claims.aud.includes(resource.uri)) return resource;
  throw new OAuthError('resource-unknown', 'resource_unknown', { facts: { resource: state.resourceId } });
}
