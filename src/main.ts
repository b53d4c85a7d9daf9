#!/usr/bin/env node
import cluster from 'node:cluster';
import { ConfigMistakes } from './config/load-config.js';
import { authserverProgram } from './program.js';

try {
  await authserverProgram().parseAsync();
} catch (error) {
  const lines =
    error instanceof ConfigMistakes ? error.problems : [error instanceof Error ? error.message : String(error)];
  for (const line of lines) console.error(`authserver: ${line}`);
  process.exitCode = 1;
  // One of `server.workers` has a channel to the process that keeps it, and would wait for it.
  if (cluster.isWorker) process.exit();
}
