#!/usr/bin/env node
import { ConfigMistakes } from './config/load-config.js';
import { authserverProgram } from './program.js';

/** How long whoever failed may still say goodbye. */
const LINGER_MILLIS = 1_000;

try {
  await authserverProgram().parseAsync();
} catch (error) {
  const lines =
    error instanceof ConfigMistakes ? error.problems : [error instanceof Error ? error.message : String(error)];
  for (const line of lines) console.error(`authserver: ${line}`);
  process.exitCode = 1;
  // What it had opened when it failed would keep it alive, serving nobody, and nobody would start it again.
  setTimeout(() => process.exit(), LINGER_MILLIS).unref();
}
