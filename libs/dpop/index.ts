export * from './proof-key.js';
export * from './target-url.js';
export * from './verify-proof.js';
