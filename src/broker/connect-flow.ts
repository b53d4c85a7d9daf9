import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { newBearerValue, OAuthError, readBearerValue, type Form } from '#libs/oauth';
import type { BrowserSession } from '../accounts/browser-sessions.js';
import { Config } from '../config/config.js';
import { Encryption } from '../encryption/encryption.js';
import { Clock } from '../platform/clock/clock.js';
import { uuid7 } from '../platform/uuid7.js';
import { ConnectFlowStore, type OpenFlow } from './connect-flow.store.js';
import type { ConnectPlan } from './connect-plan.js';
import type { ConsentDecision } from './connection-consents.js';
import { Connections } from './connections.js';
import type { ConnectedAccount } from './connectors/connector.js';
import { Connectors } from './connectors/connectors.js';
import type { Provider } from './provider.js';
import { CallbackFromElsewhere, UpstreamAway, UpstreamMisconfigured, UpstreamRefused } from './upstream-errors.js';

const LIFETIME_MS = 10 * 60 * 1000;

/** What the boxes on the page say, in upstream's words. */
export interface Choice {
  readonly ticked: readonly string[];
  readonly unticked: readonly string[];
}

/** How a flow ended well; or at the provider, by the person's own word. */
export type FlowEnd =
  | { readonly kind: 'connected'; readonly flow: OpenFlow; readonly missing: readonly string[] }
  | { readonly kind: 'denied'; readonly flow: OpenFlow };

/**
 * The way to a provider and back (U2, U3). A flow ends only in the session that began it and at the provider's own redirect URI; its
 * state is spent by the first who shows it, whoever that is: a state that somebody else has seen is worth nothing any more.
 */
@Injectable()
export class ConnectFlow {
  readonly #base: string;

  constructor(
    config: Config,
    private readonly store: ConnectFlowStore,
    private readonly connectors: Connectors,
    private readonly connections: Connections,
    private readonly encryption: Encryption,
    private readonly clock: Clock,
  ) {
    this.#base = config.connect.redirectBaseUrl ?? config.server.issuer;
  }

  /** Opens a flow. @returns where the person's browser goes */
  async begin(plan: ConnectPlan, session: BrowserSession, { ticked, unticked }: Choice): Promise<string> {
    const { provider, connector, asked, connection } = plan;
    const now = this.clock.now();
    const id = uuid7(now);
    const { value: state, hash } = newBearerValue('cf', id);
    const verifier = randomBytes(32).toString('base64url');
    const scopes = [...new Set([...(connection?.scopes ?? []), ...ticked])];
    const url = await connector.connectUrl(provider, {
      state,
      codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
      redirectUri: this.#redirectUri(provider),
      scopes,
    });
    const flow: OpenFlow = {
      id,
      userId: session.user.id,
      sessionId: session.id,
      providerId: provider.id,
      targetResourceId: plan.target.id,
      sourceResourceId: asked?.source.id,
      clientId: asked?.client.id,
      scopes,
      ticked,
      unticked,
      sealedVerifier: await this.encryption.seal(Buffer.from(verifier), contextOf(id)),
      returnUrl: plan.returnUrl,
      createdAt: now,
      expiresAt: new Date(now.getTime() + LIFETIME_MS),
    };
    await this.store.open(flow, hash);
    return url;
  }

  /**
   * Takes a person back from the provider.
   *
   * @param provider whose redirect URI was opened
   * @throws OAuthError for a page
   */
  async finish(provider: Provider, session: BrowserSession | undefined, query: Form): Promise<FlowEnd> {
    const flow = await this.#spend(query.get('state') ?? '', session, provider);
    const code = query.get('code');
    if (query.get('error') === 'access_denied') return { kind: 'denied', flow };
    if (code === undefined) {
      const facts = { provider: provider.slug, error: printableCode(query.get('error')) };
      throw new OAuthError('connect-refused-upstream', 'upstream_denied', { facts });
    }
    const account = await this.#redeem(provider, flow, code, query.get('iss'));
    const missing = flow.ticked.filter((scope) => !account.scopes.includes(scope));
    await this.connections.connect({ session: flow.session, provider, account, consent: consentOf(flow, missing) });
    return { kind: 'connected', flow, missing };
  }

  /** One conditional update, before upstream is asked: of two callbacks with one state one goes on. */
  async #spend(
    state: string,
    session: BrowserSession | undefined,
    provider: Provider,
  ): Promise<OpenFlow & { readonly session: BrowserSession }> {
    const read = readBearerValue('cf', state);
    const facts = { provider: provider.slug, user: session?.user.id };
    const refuse = (reason: ConstructorParameters<typeof OAuthError<'connect-flow-over'>>[1]): OAuthError =>
      new OAuthError('connect-flow-over', reason, { facts });
    const now = this.clock.now();
    const flow = read && (await this.store.spend(read.id, read.hash, now));
    if (flow === undefined) throw refuse('state_unknown');
    if (flow === 'spent') throw refuse('state_spent');
    if (!session) throw new OAuthError('connect-of-another-session', 'session_missing', { facts });
    if (flow.sessionId !== session.id || flow.userId !== session.user.id)
      throw new OAuthError('connect-of-another-session', 'session_differs', {
        facts: { ...facts, begunBy: flow.userId },
      });
    if (flow.providerId !== provider.id) throw refuse('state_of_another_provider');
    if (flow.expiresAt <= now) throw refuse('state_expired');
    if (provider.updatedAt > flow.createdAt) throw refuse('provider_changed');
    return { ...flow, session };
  }

  async #redeem(
    provider: Provider,
    { id, sealedVerifier, scopes }: OpenFlow,
    code: string,
    issuer: string | undefined,
  ): Promise<ConnectedAccount> {
    const codeVerifier = (await this.encryption.open(sealedVerifier, contextOf(id))).toString();
    const redirectUri = this.#redirectUri(provider);
    try {
      return await this.connectors.of(provider).finish(provider, { code, codeVerifier, redirectUri, issuer, scopes });
    } catch (error) {
      throw pageOf(error, provider.slug);
    }
  }

  /** One for each provider: a code that comes to another's is not redeemed (U2). */
  #redirectUri({ slug }: Provider): string {
    return `${this.#base}/connect/${slug}/callback`;
  }
}

const contextOf = (flowId: string): string => `connect-verifier:${flowId}`;

/** What the MCP server gets; nothing when the person came by themselves. */
function consentOf(flow: OpenFlow, missing: readonly string[]): ConsentDecision | undefined {
  const { sourceResourceId, clientId, unticked } = flow;
  if (sourceResourceId === undefined || clientId === undefined) return undefined;
  const ticked = flow.ticked.filter((scope) => !missing.includes(scope));
  return { sourceResourceId, clientId, ticked, unticked, missing };
}

function pageOf(error: unknown, provider: string): unknown {
  if (error instanceof CallbackFromElsewhere)
    return new OAuthError('connect-flow-over', 'issuer_differs', { facts: { provider } });
  if (error instanceof UpstreamRefused)
    return new OAuthError('connect-refused-upstream', 'upstream_code_refused', {
      facts: { provider, error: error.code },
    });
  if (error instanceof UpstreamAway) {
    const headers = { 'Retry-After': String(error.retryAfterSeconds ?? 5) };
    const options = { facts: { provider, why: error.why }, headers, cause: error };
    return new OAuthError('connect-upstream-away', 'upstream_unavailable', options);
  }
  if (!(error instanceof UpstreamMisconfigured)) return error;
  const reason = error.code === 'refresh_token_missing' ? 'refresh_token_missing' : 'upstream_misconfigured';
  return new OAuthError('connect-misconfigured', reason, {
    fill: { provider },
    facts: { provider, error: error.code },
  });
}

/** Upstream's code goes to the audit log; nothing of what it says besides. */
const printableCode = (code: string | undefined): string | undefined =>
  code !== undefined && /^[A-Za-z0-9_.-]{1,64}$/.test(code) ? code : undefined;
