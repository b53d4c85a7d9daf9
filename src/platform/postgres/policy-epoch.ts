import type { Database, Transaction } from './database.js';

/**
 * Says that what policies are made of has changed (S6). Belongs into the transaction of every change of resources, policies and
 * settings: an issuing statement that decided by the former state then stores nothing.
 */
export async function bumpPolicyEpoch(tx: Transaction): Promise<void> {
  await tx.query('update policy_epoch set epoch = epoch + 1');
}

export async function readPolicyEpoch(database: Database): Promise<number> {
  const [row] = await database.query<{ epoch: number }>('select epoch from policy_epoch', [], 'policy-epoch.read');
  if (!row) throw new Error('The table policy_epoch has lost its row.');
  return Number(row.epoch);
}
