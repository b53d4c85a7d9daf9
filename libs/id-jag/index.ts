export * from './verify-assertion.js';
