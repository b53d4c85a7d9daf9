import { Module } from '@nestjs/common';
import { DpopVerifier } from './dpop-verifier.js';
import { Nonces } from './nonces.js';

/**
 * DPoP — that a request comes from whoever holds a key.
 * Owns: the proof of a request, server nonces.
 * Not here: what is computed from a proof alone (libs/dpop), who must send one and what is bound to its key (grants/, tokens/).
 * Holds always: a proof counts once, in all processes; when that cannot be known the request is refused; a nonce costs no write and
 * is given only to who sent a proof.
 * RFC 9449 §4.3, §8, §11.1.
 */
@Module({ providers: [DpopVerifier, Nonces], exports: [DpopVerifier] })
export class DpopModule {}
