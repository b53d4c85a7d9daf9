import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import type { Form } from '#libs/oauth';
import { ClientAuthenticator, type Reading } from '../clients/client-authenticator.js';
import type { Client } from '../clients/client.js';
import { Clients } from '../clients/clients.js';
import type { ResourceSnapshot } from '../resources/resource.js';
import { Resources } from '../resources/resources.js';

export type { Reading };

/** What the decision on a token request rests on, besides what the request itself presents. */
export interface Ground {
  readonly client: Client;
  readonly resources: ResourceSnapshot;
}

/** Finds the ground of a request: what is remembered, or what is there now (S6). */
@Injectable()
export class Grounds {
  constructor(
    private readonly authenticator: ClientAuthenticator,
    private readonly clients: Clients,
    private readonly resources: Resources,
  ) {}

  /** @throws OAuthError when the client is not who it says it is */
  async of(req: Request, form: Form, reading: Reading): Promise<Ground> {
    const client = await this.authenticator.authenticate(req, form, reading);
    return { client, resources: reading === 'now' ? await this.resources.current() : this.resources.lastKnown() };
  }

  /** Whether client or resources are others by now. */
  async moved({ client, resources }: Ground): Promise<boolean> {
    const [row, now] = await Promise.all([this.clients.stored(client.id), this.resources.current()]);
    return row?.version !== client.version || now.epoch !== resources.epoch;
  }
}
