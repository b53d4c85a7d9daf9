import { Injectable } from '@nestjs/common';
import { grantType, OAuthError, tokenType, type Form } from '#libs/oauth';
import { ConnectionGate } from '../broker/connection-gate.js';
import type { Vend } from '../broker/vend.js';
import type { Client } from '../clients/client.js';
import { Config } from '../config/config.js';
import type { Proof } from '../dpop/dpop-verifier.js';
import { isBroker, type ResourceSnapshot } from '../resources/resource.js';
import type { Authorization } from '../tokens/authorization.js';
import type { AssertionDecision } from '../xaa/issued-assertion.js';
import { ConsentGate } from './consent-gate.js';
import { deriveFrom } from './derivation.js';
import { heldAtTarget, pathOf, refusalOf, type Exchange } from './exchange-paths.js';
import { readExchange, sourceOf, targetOf } from './exchange-request.js';
import { exchangeScopes } from './exchange-scopes.js';
import { ExchangeTokens } from './exchange-tokens.js';
import { Grant } from './grant.js';
import { grantDisabled } from './grant-disabled.js';
import { IdJagExchange } from './id-jag-exchange.js';
import { PersonBounds } from './person-bounds.js';
import { requireBinding } from './subject-binding.js';

const SETTING = 'token_exchange.enabled';
const ISSUING = 'xaa.issuing_enabled';

/** RFC 8693: a token for one resource becomes one for another, for the same subject, and tells who acts. Never wider, never longer. */
@Injectable()
export class TokenExchangeGrant extends Grant {
  readonly type = grantType.tokenExchange;
  override readonly switchedBy: { setting: string; on: boolean };

  constructor(
    private readonly tokens: ExchangeTokens,
    private readonly consentGate: ConsentGate,
    private readonly connectionGate: ConnectionGate,
    private readonly bounds: PersonBounds,
    private readonly idJag: IdJagExchange,
    private readonly config: Config,
  ) {
    super();
    const on = config.tokenExchange.enabled || config.xaa.issuingEnabled;
    this.switchedBy = { setting: SETTING, on };
  }

  override settingFor(form: Form): string {
    return asksForIdJag(form) ? ISSUING : SETTING;
  }

  async authorize(
    form: Form,
    acting: Client,
    resources: ResourceSnapshot,
    proof?: Proof,
  ): Promise<Authorization | Vend | AssertionDecision> {
    if (acting.tokenEndpointAuthMethod === 'none') {
      throw new OAuthError('client-authentication-failed', 'credentials_missing', { facts: { clientId: acting.id } });
    }
    if (asksForIdJag(form)) return this.idJag.authorize(form, acting, resources, proof, this.type);
    const { enabled, allowSelfExchange, maxChainDepth } = this.config.tokenExchange;
    // The grant is on for identity assertions alone.
    if (!enabled) throw grantDisabled(this.type, SETTING, { clientId: acting.id });
    const request = readExchange(form);
    const token = await this.tokens.subject(request.subjectToken, acting);
    if (request.actorToken !== undefined) {
      // An upstream's token has no place for an actor: whose token it is does not matter then.
      if (request.resource !== undefined && isBroker(resources.byUri(request.resource)))
        throw new OAuthError('actor-token-at-broker', 'actor_token_at_broker', { facts: { clientId: acting.id } });
      await this.tokens.requireActor(request.actorToken, acting, proof);
    }

    const subject = token.state;
    const source = sourceOf(token, resources);
    requireBinding(token, acting, source, proof);
    const target = targetOf(request, source, resources);
    const exchange: Exchange = {
      acting,
      subject,
      resources,
      source,
      target,
      allowSelfExchange,
      named: request.resource !== undefined,
      link: source && target && resources.link(source.id, target.id),
    };
    const path = pathOf(exchange);
    const facts = {
      clientId: acting.id,
      subject_client: subject.clientId,
      resource: target?.slug,
      chain_kind: path.kind,
    };
    const refusal = refusalOf(path, exchange);
    if (refusal) throw new OAuthError(refusal[0], refusal[1], { facts });

    const derivation = deriveFrom(token, exchange, path.kind, maxChainDepth, facts);
    const declared = target?.scopes.map(({ name }) => name);
    const { grouped, atMost } = await this.bounds.leave(exchange);
    const bounds = { held: heldAtTarget(exchange), grouped, declared, ceiling: acting.scope };
    const possible = exchangeScopes(request.scopes, bounds, target?.uri);
    const consentAt = path.consentAt(exchange);
    const { consentId, scopes } = consentAt
      ? await this.consentGate.pass(subject, acting, consentAt, { requested: request.scopes, possible })
      : { consentId: subject.consentId ?? undefined, scopes: possible };
    const person =
      subject.userId === null ? undefined : { id: subject.userId, version: subject.userVersion ?? 0, consentId };
    const granted = { grantType: this.type, client: acting, policyEpoch: resources.epoch, scopes, derivation };
    if (!isBroker(target)) return { ...granted, person, resource: target };
    if (!person || !source) throw new TypeError('a path into a broker resource has let through a machine');
    const vend = { ...granted, person, resource: target, atMost };
    return this.connectionGate.pass(vend, source, request.scopes !== undefined);
  }
}

const asksForIdJag = (form: Form): boolean => form.get('requested_token_type') === tokenType.idJag;
