/** No client has this id. */
export class ClientNotFound extends Error {
  override readonly name = 'ClientNotFound';

  constructor(readonly clientId: string) {
    super('no client has this id');
  }
}

/** The id an operator chose is taken. */
export class ClientExists extends Error {
  override readonly name = 'ClientExists';

  constructor(readonly clientId: string) {
    super('a client with this id exists already');
  }
}

/** Revocation is final. */
export class ClientRevoked extends Error {
  override readonly name = 'ClientRevoked';

  constructor(readonly clientId: string) {
    super('the client was revoked, which is final: register a new one');
  }
}

/** Public clients and those with a metadata document have nothing to rotate. */
export class ClientHasNoSecret extends Error {
  override readonly name = 'ClientHasNoSecret';

  constructor(readonly clientId: string) {
    super('the client has no secret: its token_endpoint_auth_method needs none');
  }
}

/** Name, redirects and grants of such a client are what its document says. */
export class ClientDescribedByDocument extends Error {
  override readonly name = 'ClientDescribedByDocument';

  constructor(readonly clientId: string) {
    super('the metadata of this client is what its metadata document says; change it there');
  }
}
