#!/usr/bin/env node
import { ConfigMistakes } from './config/load-config.js';
import { authserverProgram } from './program.js';

try {
  await authserverProgram().parseAsync();
} catch (error) {
  const lines =
    error instanceof ConfigMistakes ? error.problems : [error instanceof Error ? error.message : String(error)];
  for (const line of lines) console.error(`authserver: ${line}`);
  process.exitCode = 1;
}
