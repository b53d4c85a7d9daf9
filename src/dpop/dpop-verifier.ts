import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { proofAlgs, ProofRefused, verifyProof, type VerifiedProof } from '#libs/dpop';
import { OAuthError, sha256 } from '#libs/oauth';
import { Config } from '../config/config.js';
import { CLOCK_SKEW_MILLIS } from '../platform/clock/clock-skew.js';
import { Clock } from '../platform/clock/clock.js';
import { ReplayStore } from '../platform/ephemeral/replay-store.js';
import { dpopProofsRejected, dpopProofsValidated } from '../platform/telemetry/protocol-metrics.js';
import { Nonces } from './nonces.js';

/** That a request was sent by whoever holds a key. */
export interface Proof {
  /** SHA-256 thumbprint of the public key (RFC 7638), base64url. */
  readonly jkt: string;
}

/** What the operator is told of a refusal. */
type Facts = Readonly<Record<string, unknown>>;

/**
 * What is presented was bound to the key `jkt`; so must the request be.
 *
 * @throws OAuthError `invalid_dpop_proof` without a proof, `invalid_grant` with one by another key
 */
export function requireKey(proof: Proof | undefined, jkt: string, facts: Facts): void {
  if (!proof) throw new OAuthError('dpop-required', 'dpop_missing', { facts });
  if (proof.jkt !== jkt) {
    throw new OAuthError('key-mismatch', 'key_mismatch', { facts: { ...facts, expected: jkt, received: proof.jkt } });
  }
}

/** Checks the proof of possession of a request (RFC 9449 §4.3), and that nobody has used it before. */
@Injectable()
export class DpopVerifier {
  constructor(
    private readonly replays: ReplayStore,
    private readonly nonces: Nonces,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** What proofs may be signed with; empty: they are passed over. */
  get algorithms(): readonly string[] {
    return this.config.dpop.enabled ? proofAlgs : [];
  }

  /**
   * The proof that a request carries, spent by asking. The answer gets a `DPoP-Nonce`; other answers never do.
   *
   * @param path of the endpoint below the issuer; with the issuer it is the URL that the proof must name, whatever the Host header
   *   says (W10)
   * @param facts who sends it, for the operator
   * @returns undefined when there is none
   * @throws OAuthError `invalid_dpop_proof`, `use_dpop_nonce`; `try-again` when it cannot be known whether it was used before
   */
  async proofOf(req: Request, path: string, facts: Facts): Promise<Proof | undefined> {
    try {
      const proof = await this.#proofOf(req, path, facts);
      if (proof) dpopProofsValidated.inc();
      return proof;
    } catch (error) {
      if (error instanceof OAuthError && error.reason.startsWith('dpop_'))
        dpopProofsRejected.inc({ reason: error.reason.slice('dpop_'.length) });
      throw error;
    }
  }

  async #proofOf(req: Request, path: string, facts: Facts): Promise<Proof | undefined> {
    const headers = req.headersDistinct['dpop'] ?? [];
    const [value, ...others] = headers;
    if (!this.config.dpop.enabled || value === undefined) return undefined;
    if (others.length > 0)
      throw new OAuthError('dpop-header', 'dpop_header', { facts: { ...facts, headers: headers.length } });
    req.res?.set('DPoP-Nonce', await this.nonces.current());
    const url = `${this.config.server.issuer}${path}`;
    const proof = await this.#verified(value, req.method, url, facts);
    await this.#requireLive(proof.nonce, this.config.dpop.requireNonce, facts);
    await this.#claim(proof, url, facts);
    if (await this.#mayHaveForgotten()) {
      // The claim may have been what noticed it, after the answer was given a nonce of before.
      req.res?.set('DPoP-Nonce', await this.nonces.current());
      await this.#requireLive(proof.nonce, true, facts);
    }
    return { jkt: proof.jkt };
  }

  async #verified(value: string, method: string, url: string, facts: Facts): Promise<VerifiedProof> {
    try {
      return await verifyProof(value, {
        method,
        url,
        now: this.clock.now(),
        lifetimeSeconds: this.config.dpop.proofLifetimeSeconds,
        algorithms: proofAlgs,
      });
    } catch (error) {
      throw error instanceof ProofRefused ? refusal(error, method, url, facts) : error;
    }
  }

  /** A nonce that is given must be right even where none is wanted (RFC 9449 §4.3, check 10). */
  async #requireLive(nonce: string | undefined, wanted: boolean, facts: Facts): Promise<void> {
    if (nonce === undefined) {
      if (wanted) throw new OAuthError('dpop-nonce', 'dpop_nonce_missing', { facts });
    } else if (!(await this.nonces.isLive(nonce))) {
      throw new OAuthError('dpop-nonce', 'dpop_nonce_stale', { facts });
    }
  }

  /** W43: remembered for as long as the proof would pass, also one whose `iat` is ahead. */
  async #claim({ jkt, jti, iat }: VerifiedProof, url: string, facts: Facts): Promise<void> {
    const expiresAt = new Date((iat + this.config.dpop.proofLifetimeSeconds + 1) * 1000);
    if (await this.replays.claim(sha256(`${jkt}\0${url}\0${jti}`), expiresAt)) return;
    throw new OAuthError('dpop-replay', 'dpop_replay', { facts: { ...facts, jkt } });
  }

  /**
   * P5: for as long as a proof of before could still pass, by the clock of whoever noticed or of whoever is asked. Asked after the claim, so
   * that nothing is forgotten in between.
   */
  async #mayHaveForgotten(): Promise<boolean> {
    const forgotAt = await this.replays.forgotAt();
    if (forgotAt === undefined) return false;
    const window = 2 * this.config.dpop.proofLifetimeSeconds * 1000 + CLOCK_SKEW_MILLIS;
    return this.clock.now().getTime() - forgotAt.getTime() <= window;
  }
}

function refusal({ reason, received }: ProofRefused, method: string, url: string, facts: Facts): OAuthError {
  const got = ['string', 'number'].includes(typeof received) ? String(received).slice(0, 500) : typeof received;
  switch (reason) {
    case 'header':
      return new OAuthError('dpop-header', 'dpop_header', { facts });
    case 'signature':
      return new OAuthError('dpop-signature', 'dpop_signature', { facts });
    case 'claims':
      return new OAuthError('dpop-claims', 'dpop_claims', { facts });
    case 'htm':
      return new OAuthError('dpop-htm', 'dpop_htm', { facts: { ...facts, expected: method, received: got } });
    case 'htu':
      return new OAuthError('dpop-htu', 'dpop_htu', { facts: { ...facts, expected: url, received: got, hint: PROXY } });
    case 'iat':
      return new OAuthError('dpop-iat', 'dpop_iat', { facts: { ...facts, received: got } });
  }
}

const PROXY = 'server.issuer must be the URL under which clients reach this server, through the proxy';
