import type { Form } from '#libs/oauth';
import type { Vend } from '../broker/vend.js';
import type { Client } from '../clients/client.js';
import type { Proof } from '../dpop/dpop-verifier.js';
import type { ResourceSnapshot } from '../resources/resource.js';
import type { Authorization, RepeatedAnswer } from '../tokens/authorization.js';
import type { AssertionDecision } from '../xaa/issued-assertion.js';

/**
 * One grant_type. It proves that `client` may have tokens and says which, and which code or refresh token that spends. It only
 * reads: nothing is spent before everything is known. The endpoint has parsed the form and authenticated the client, and has seen
 * that it is registered for this grant. Client and resources may be of a moment ago: what is issued is verified to rest on those of now.
 *
 * What is issued is bound to the key of `proof` by the endpoint; a grant compares it with the key that what it is given is bound to.
 *
 * To add one: write `<name>.grant.ts` and put it on the list in `grants.ts`. Dispatch and metadata follow from there.
 */
export abstract class Grant {
  /** The value of `grant_type` (RFC 6749 §4.5). */
  abstract readonly type: string;

  /** The setting that switches it on, where there is one. */
  readonly switchedBy?: { readonly setting: string; readonly on: boolean };

  /** The setting that a request is waiting for while the grant is off. */
  settingFor(_form: Form): string | undefined {
    return this.switchedBy?.setting;
  }

  /** @throws OAuthError with the reason why not */
  abstract authorize(
    form: Form,
    client: Client,
    resources: ResourceSnapshot,
    proof?: Proof,
  ): Promise<Authorization | Vend | AssertionDecision | RepeatedAnswer>;
}
