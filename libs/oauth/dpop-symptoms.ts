import { symptom } from './symptom.js';

/** What is wrong with the proof of possession of a token request (RFC 9449). */
export const dpopSymptoms = {
  'dpop-header': symptom('invalid_dpop_proof', 'proof header is invalid', 'RFC 9449 §4.2, §4.3', {
    dpop_header: [
      'There are two DPoP headers; or the value is no JWT with typ dpop+jwt, a supported asymmetric alg and a public jwk for it.',
      'Send one DPoP header. The metadata member dpop_signing_alg_values_supported lists the algorithms; never put a private key into the header.',
    ],
  }),
  'dpop-claims': symptom('invalid_dpop_proof', 'jti or nonce in the proof is malformed', 'RFC 9449 §4.2, §4.3', {
    dpop_claims: [
      'The payload of the proof has no jti; or its jti, or the nonce that it has, is not a text of 1 to 256 bytes.',
      'Make a fresh UUID the jti of each proof; leave nonce out until an answer gives one.',
    ],
  }),
  'dpop-signature': symptom('invalid_dpop_proof', 'proof signature is invalid', 'RFC 9449 §4.3', {
    dpop_signature: [
      'The signature is not by the key in the header.',
      'Sign with the private key that belongs to jwk.',
    ],
  }),
  'dpop-htm': symptom('invalid_dpop_proof', 'htm does not match', 'RFC 9449 §4.3', {
    dpop_htm: ['htm is not the method of the request.', 'At the token endpoint it is POST.'],
  }),
  'dpop-htu': symptom('invalid_dpop_proof', 'htu does not match', 'RFC 9449 §4.3', {
    dpop_htu: [
      'htu is not the URL of the endpoint. The operator sees both.',
      'Sign the URL in the metadata. Operators: server.issuer must be the URL under which clients reach the server, through the proxy.',
    ],
  }),
  'dpop-iat': symptom('invalid_dpop_proof', 'iat outside the allowed window', 'RFC 9449 §4.3, §11.1', {
    dpop_iat: [
      'The proof is too old, or from the future (dpop.proof_lifetime).',
      'Make a proof for each request, and set the clock.',
    ],
  }),
  'dpop-replay': symptom('invalid_dpop_proof', 'jti already used', 'RFC 9449 §11.1', {
    dpop_replay: ['A proof with this jti was used before.', 'Make a proof for each request, with a fresh UUID as jti.'],
  }),
  'dpop-nonce': symptom('use_dpop_nonce', 'a server nonce is required in the DPoP proof', 'RFC 9449 §8', {
    dpop_nonce_missing: [
      'The server wants a nonce (dpop.require_nonce, or it has just lost its memory of used proofs), and the proof has none.',
      "Put the value of the answer's DPoP-Nonce header into the nonce of the next proof.",
    ],
    dpop_nonce_stale: [
      'The nonce in the proof is not, or no longer, one of this server.',
      "Put the value of the answer's DPoP-Nonce header into the nonce of the next proof.",
    ],
  }),
  'dpop-required': symptom('invalid_dpop_proof', 'a DPoP proof is required', 'RFC 9449 §5, §5.2', {
    dpop_missing: [
      'The client, the resource, the authorization request or the refresh token is bound to proofs of possession, and there is none; or dpop.enabled is false.',
      'Send one.',
    ],
  }),
  'key-mismatch': symptom('invalid_grant', 'token is bound to another key', 'RFC 9449 §5, §10', {
    key_mismatch: [
      'The proof is by another key than the one that the refresh token is bound to, or that the authorization request named in dpop_jkt.',
      'Nothing was spent: repeat the request with the right key.',
    ],
  }),
} as const;
