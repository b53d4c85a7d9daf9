import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import yauzl from 'yauzl';
import yazl from 'yazl';

/** Makes an entry's content when its turn comes. */
type Opening = () => Readable;

/** A zip file that is written as it is made, without a temporary copy; any unzip opens it. */
export async function writeArchive(
  output: Writable,
  entries: readonly { readonly name: string; readonly open: Opening }[],
): Promise<void> {
  const zip = new yazl.ZipFile();
  const broken = new AbortController();
  const fail = (error: unknown): void => broken.abort(error);
  zip.on('error', fail);
  for (const { name, open } of entries)
    zip.addReadStreamLazy(name, { mode: 0o100600 }, (take) => {
      const content = open();
      content.once('error', fail);
      take(null, content);
    });
  zip.end();
  // Standard output stays open for whoever comes after.
  const end = output !== process.stdout;
  await pipeline(zip.outputStream, output, { signal: broken.signal, end }).catch((error: unknown) => {
    throw broken.signal.aborted ? broken.signal.reason : error;
  });
}

/** The entries of a zip file, by name. */
export class Archive {
  readonly #zip: yauzl.ZipFile;
  readonly #entries: ReadonlyMap<string, yauzl.Entry>;

  private constructor(zip: yauzl.ZipFile, entries: ReadonlyMap<string, yauzl.Entry>) {
    this.#zip = zip;
    this.#entries = entries;
  }

  /** @throws Error when it is no zip file, or not a whole one */
  static async open(path: string): Promise<Archive> {
    const broken = (error: unknown): never => {
      throw new Error(`${path} is not a backup, or not a whole one: ${(error as Error).message}`);
    };
    const zip = await yauzl.openPromise(path, { autoClose: false }).catch(broken);
    const entries = new Map<string, yauzl.Entry>();
    try {
      for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
    } catch (error) {
      zip.close();
      broken(error);
    }
    return new Archive(zip, entries);
  }

  /** @throws Error when there is no such entry, or it is longer than `maxBytes` */
  async read(name: string, maxBytes = Infinity): Promise<Readable> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`the backup has no ${name}`);
    if (entry.uncompressedSize > maxBytes) throw new Error(`${name} of the backup is too long`);
    return this.#zip.openReadStreamPromise(entry);
  }

  close(): void {
    this.#zip.close();
  }
}
