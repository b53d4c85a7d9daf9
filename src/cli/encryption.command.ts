import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { AdminApi, Answer } from './admin-api.js';
import { exitCodes } from './terminal.js';
import type { Run } from './verb.js';

const PROGRESS = '/admin/encryption/reencryption';
const LOOK_MILLIS = 1_000;

export function addEncryptionCommands(admin: Command, run: Run): void {
  const encryption = admin.command('encryption').description('encryption at rest');

  encryption
    .command('status')
    .description('show which key seals, how many values each key has sealed, and how far re-encryption is')
    .action(run<object>(async (_, { api, output }) => output.one(await api.get('/admin/encryption'))));

  encryption
    .command('reencrypt')
    .description('move every sealed value to the key in force, or go on with it; the server does it while it runs')
    .option('--wait', 'until it has finished, or something is in its way')
    .action(
      run<{ readonly wait?: boolean }>(async ({ wait }, { api, output, terminal }) => {
        const begun = await api.post(PROGRESS);
        const record = wait ? await untilStill(api, begun) : begun;
        output.one(record);
        if (record.last_error !== undefined) terminal.endWith(exitCodes.refused);
      }),
    );
}

/** What is in the way may go away by itself; whoever waits wants to know of it all the same. */
async function untilStill(api: AdminApi, begun: Answer): Promise<Answer> {
  let record = begun;
  while (record.id === begun.id && record.state !== 'finished' && record.last_error === undefined) {
    await pause(LOOK_MILLIS);
    record = await api.get(PROGRESS);
  }
  return record;
}
