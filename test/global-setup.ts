import type { TestProject } from 'vitest/node';
import { startCluster } from './postgres.js';
import { trustLocalCertificate } from './tls.js';

/**
 * Once for the whole run: one PostgreSQL, in which each test file makes a database of its own, and a certificate for localhost.
 * Redis is started by the files that want one.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { certificate, remove } = trustLocalCertificate();
  const { cluster, stop } = await startCluster();
  project.provide('certificate', certificate);
  project.provide('postgres', cluster);
  return async () => {
    await stop();
    remove();
  };
}
