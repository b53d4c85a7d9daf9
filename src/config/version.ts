import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version of this build, from the package that it is part of; the same file is found from src/ and from dist/src/. */
export const version: string = readVersion(import.meta.dirname);

function readVersion(directory: string): string {
  try {
    return (JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string }).version;
  } catch (error) {
    const parent = join(directory, '..');
    if (parent === directory) throw error;
    return readVersion(parent);
  }
}
