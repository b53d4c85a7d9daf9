import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { readLocalAdminKey } from '../config/first-run.js';
import { AdminApi } from './admin-api.js';
import { UsageError } from './usage-error.js';

interface ConnectionFlags {
  readonly adminUrl: string;
  readonly adminApiKey?: string;
  readonly apiKeyFile?: string;
  readonly dataDir: string;
}

export const howToGiveTheKey =
  'give the admin API key in AUTHPLANE_ADMIN_API_KEY or by --api-key-file; the first start of a local server wrote it to data/admin-api-key';

/** Which server is meant, and the key to it. */
export function withConnectionFlags(admin: Command): Command {
  return admin
    .addOption(
      new Option('--admin-url <url>', 'where the admin API listens')
        .env('AUTHPLANE_ADMIN_URL')
        .default('http://127.0.0.1:9001'),
    )
    .option('--api-key-file <file>', 'file with the admin API key (or the key itself in AUTHPLANE_ADMIN_API_KEY)')
    .addOption(
      new Option('--data-dir <directory>', 'where the first start of a local server left the key')
        .env('AUTHPLANE_DATA_DIR')
        .default('data'),
    )
    .addOption(new Option('--admin-api-key <key>').env('AUTHPLANE_ADMIN_API_KEY').hideHelp());
}

/** An explicit file, then the environment, then the file of the first start. @throws UsageError */
export function openAdminApi(command: Command): AdminApi {
  const { adminUrl, adminApiKey, apiKeyFile, dataDir } = command.optsWithGlobals<ConnectionFlags>();
  if (command.getOptionValueSourceWithGlobals('adminApiKey') === 'cli') {
    throw new UsageError(`the admin API key is not given as an argument: ${howToGiveTheKey}`);
  }
  const isHttp = URL.canParse(adminUrl) && /^https?:$/.test(new URL(adminUrl).protocol);
  if (!isHttp) throw new UsageError(`${adminUrl} is not an http(s) URL (--admin-url, AUTHPLANE_ADMIN_URL)`);
  const key = apiKeyFile === undefined ? adminApiKey || readFirstKey(dataDir) : readKeyFile(apiKeyFile);
  if (!key) throw new UsageError(`no admin API key: ${howToGiveTheKey}`);
  return new AdminApi(adminUrl, key);
}

function readFirstKey(dataDir: string): string | undefined {
  try {
    return readLocalAdminKey(dataDir);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}
