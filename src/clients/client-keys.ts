import { Injectable } from '@nestjs/common';
import type { ClientSigningAlg, PublicKey } from '#libs/jwt';
import { assertionRefused } from './client-credentials.js';
import type { Client, ClientKeyMetadata } from './client.js';
import { MetadataDocuments } from './metadata-documents.js';
import { RemoteKeySets } from './remote-key-sets.js';

/** The public keys a client may sign with today. */
@Injectable()
export class ClientKeys {
  constructor(
    private readonly documents: MetadataDocuments,
    private readonly keySets: RemoteKeySets,
  ) {}

  /**
   * @param kid the key that is wanted: a set from elsewhere that lacks it may be asked for again
   * @throws OAuthError `client-authentication-failed` (no usable keys), `try-again` (their host is away)
   */
  async of(client: Client, kid?: string): Promise<{ keys: readonly PublicKey[]; alg?: ClientSigningAlg }> {
    const { keys, jwksUri, assertionAlg: alg } = await this.#described(client);
    if (keys) return { keys, alg };
    if (jwksUri === undefined) throw assertionRefused('keys', client.id);
    return { keys: await this.keySets.keys(jwksUri, client.id, kid), alg };
  }

  /** A key that was taken out of a metadata document ends with that, not when somebody consents next. */
  #described(client: Client): ClientKeyMetadata | Promise<ClientKeyMetadata> {
    return client.registrationSource === 'cimd' ? this.documents.recent(client.id) : client;
  }
}
