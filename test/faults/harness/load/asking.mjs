/** Requests of clients, as decent clients make them. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

export const basicOf = ({ client_id: id, client_secret: secret }) =>
  secret ? { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` } : {};

/** POST /oauth/token, with the credentials that the client has. */
export function askForToken({ door }, kind, client, form, { at, headers = {} } = {}) {
  const sent = client.client_secret || form.client_assertion ? form : { client_id: client.client_id, ...form };
  return door.ask(kind, '/oauth/token', { at, headers: { ...basicOf(client), ...headers }, form: sent });
}

/** A key that tokens are bound to, with the nonce that the server gave last. */
export class ProofKey {
  #nonce;

  static async make() {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    return Object.assign(new ProofKey(), { privateKey, jwk: await exportJWK(publicKey) });
  }

  /** With a proof of its own; when a nonce is asked for, once more with that. `proof` in the answer is the one that was taken. */
  async ask(stage, kind, client, form, { at } = {}) {
    let answer;
    for (let tries = 0; tries < 2; tries += 1) {
      const proof = await this.#proof(stage.world.issuer);
      answer = { ...(await askForToken(stage, kind, client, form, { at, headers: { dpop: proof } })), proof };
      this.#nonce = answer.headers?.['dpop-nonce'] ?? this.#nonce;
      if (answer.body?.error !== 'use_dpop_nonce') break;
    }
    return answer;
  }

  #proof(issuer) {
    const claims = { jti: randomUUID(), htm: 'POST', htu: `${issuer}/oauth/token`, iat: Math.floor(Date.now() / 1000) };
    if (this.#nonce) claims.nonce = this.#nonce;
    return new SignJWT(claims)
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk })
      .sign(this.privateKey);
  }
}

export function assertionOf(issuer, { client_id: id, privateKey }) {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ iss: id, sub: id, aud: issuer, iat: now, exp: now + 120, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'harness' })
    .sign(privateKey);
}

const LOST_MILLIS = 250;

/**
 * Asks until the server has said yes or no: after a transient failure once more when it says, and so on. The operation is *cured* when
 * the first retry brought the answer, and *uncured* when that failed, too.
 *
 * @param attempt (number of the try) → answer
 */
export async function persist(stage, kind, attempt) {
  for (let tries = 1; ; tries += 1) {
    const answer = await attempt(tries);
    const settled = answer.outcome === 'ok' || answer.outcome === 'refused';
    if (tries === 2) stage.ledger.count(settled ? 'cured' : 'uncured');
    if (tries === 2 && !settled) stage.ledger.count(`uncured ${kind}: ${answer.what}`);
    if (settled || stage.abandoned) return answer;
    const wait = answer.outcome === 'away' ? Number(answer.headers['retry-after']) * 1000 : LOST_MILLIS * tries;
    await sleep(Math.min(wait || LOST_MILLIS, 2_000));
  }
}
