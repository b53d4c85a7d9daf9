import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyRecord, Whereabouts } from './key-schedule.js';
import { PemKeys } from './private-keys.js';

/** `signing.key_store: keyfile`: `<kid>.pem` of mode 0600 in a directory of mode 0700, for one machine. */
export class KeyFileStore extends PemKeys {
  constructor(readonly where: string) {
    super();
  }

  protected async save(kid: string, pem: string): Promise<Whereabouts> {
    await mkdir(this.where, { recursive: true, mode: 0o700 });
    const file = await open(this.pathOf(kid), 'wx', 0o600);
    try {
      await file.writeFile(pem);
      await file.sync();
    } finally {
      await file.close();
    }
    return {};
  }

  protected async load({ kid }: KeyRecord): Promise<string | undefined> {
    try {
      return await readFile(this.pathOf(kid), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** A kid is a thumbprint of ours (RFC 7638); anything else is kept from becoming a path. */
  private pathOf(kid: string): string {
    if (!/^[A-Za-z0-9_-]{43}$/.test(kid)) throw new RangeError('not the kid of a key of this server');
    return join(this.where, `${kid}.pem`);
  }
}
