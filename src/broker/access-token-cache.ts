import { Injectable } from '@nestjs/common';
import { SealBroken } from '#libs/vault';
import { Clock } from '../platform/clock/clock.js';
import type { Connection } from './connection.js';
import { Connectors } from './connectors/connectors.js';
import type { UpstreamToken } from './connectors/connector.js';
import { CredentialVault } from './credential-vault.js';
import type { Refreshed } from './credential.store.js';
import type { Provider } from './provider.js';
import type { UpstreamAccess } from './upstream-access.js';

const LONGEST_MARGIN_MS = 60_000;
/** Of a short life a margin of a minute would be all of it. */
const MARGIN_OF_LIFE = 0.2;

/** The access token of a connection, sealed on its row until shortly before it expires; for providers where that is not switched off. */
@Injectable()
export class AccessTokenCache {
  constructor(
    private readonly connectors: Connectors,
    private readonly vault: CredentialVault,
    private readonly clock: Clock,
  ) {}

  /** Whether tokens of a provider have the scopes that were asked for, and not always all of the connection's. */
  narrows(provider: Provider): boolean {
    return this.connectors.of(provider).traits(provider).downscope;
  }

  async read(
    provider: Provider,
    connection: Connection,
    scopes: readonly string[],
  ): Promise<UpstreamAccess | undefined> {
    const { sealedAccessToken, accessTokenExpiresAt: expiresAt } = connection;
    if (sealedAccessToken === undefined || !expiresAt || !this.#isFresh(connection, expiresAt)) return undefined;
    const { cacheAccessTokens, downscope } = this.connectors.of(provider).traits(provider);
    if (!cacheAccessTokens) return undefined;
    const kept = await this.vault.openAccessToken({ ...connection, sealedAccessToken }).catch((error: unknown) => {
      if (error instanceof SealBroken) return undefined; // the credential gives another one
      throw error;
    });
    // Where upstream does not narrow any more, one from before that is too narrow for this request gives way to another.
    if (!kept || !scopes.every((word) => kept.scopes.includes(word))) return undefined;
    if (downscope && kept.scopes.length !== scopes.length) return undefined;
    return { ...kept, expiresAt, cached: true };
  }

  /** What there is to store of a token. */
  async keep(
    provider: Provider,
    connection: Connection,
    { accessToken, expiresInSeconds }: UpstreamToken,
    scopes: readonly string[],
  ): Promise<Pick<Refreshed, 'sealedAccessToken' | 'accessTokenExpiresAt'>> {
    const { cacheAccessTokens } = this.connectors.of(provider).traits(provider);
    if (!cacheAccessTokens || expiresInSeconds === undefined) return {};
    return {
      sealedAccessToken: await this.vault.sealAccessToken(connection, { accessToken, scopes }),
      accessTokenExpiresAt: new Date(this.clock.now().getTime() + expiresInSeconds * 1000),
    };
  }

  #isFresh({ lastRefreshedAt, createdAt }: Connection, expiresAt: Date): boolean {
    const life = expiresAt.getTime() - (lastRefreshedAt ?? createdAt).getTime();
    const margin = Math.min(LONGEST_MARGIN_MS, Math.max(0, life * MARGIN_OF_LIFE));
    return this.clock.now().getTime() < expiresAt.getTime() - margin;
  }
}
