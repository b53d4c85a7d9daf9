export * from './algorithms.js';
export * from './client-assertion.js';
export * from './public-keys.js';
export * from './sign-jwt.js';
export * from './signing-key.js';
export * from './strict-jws.js';
export * from './verify-by-any.js';
export * from './verify-jwt.js';
export type { JWK, JWTPayload } from 'jose';
