export * from './derive-key.js';
export * from './seal.js';
