import type { TestProject } from 'vitest/node';
import { startCluster } from './postgres.js';

/** One PostgreSQL for the whole run; each test file makes a database of its own in it. Redis is started by the files that want one. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { cluster, stop } = await startCluster();
  project.provide('postgres', cluster);
  return stop;
}
