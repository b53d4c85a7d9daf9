import type { Worker } from 'node:cluster';

/** Who takes longer is left out: a scrape waits ten seconds at most. */
const PATIENCE_MILLIS = 5_000;

/** Between a worker and the process that keeps it. `all`: of every worker, asked by one of them; `own`: of this worker, asked by the keeper. */
interface MetricsMessage {
  readonly metrics: 'all' | 'own';
  readonly id: number;
  /** There: the answer to the question of this id. */
  readonly text?: string;
}

/**
 * The metrics of all workers as one answer, wherever it is asked for: a scrape reaches any of them, and counters that come from another
 * process each time would seem to begin anew. Every series says its worker, as those of several machines say their instance; a sum would
 * lose what a dead one had counted.
 */
export class MetricsOfWorkers {
  readonly #workers = new Map<number, Worker>();
  #gathering: Promise<string> | undefined;
  #asked = 0;

  /** From now on until it ends the worker of this place is asked, and answered. */
  add(place: number, worker: Worker): void {
    this.#workers.set(place, worker);
    worker.once('exit', () => this.#workers.delete(place));
    worker.on('message', (message: unknown) => {
      if (!isAbout(message, 'all')) return;
      void this.#all().then((text) => worker.send({ ...message, text }, ignoreDeath));
    });
  }

  #all(): Promise<string> {
    this.#gathering ??= this.#gather().finally(() => (this.#gathering = undefined));
    return this.#gathering;
  }

  async #gather(): Promise<string> {
    const texts = [...this.#workers].map(async ([place, worker]) => labelled(await this.#own(worker), place));
    return merged(await Promise.all(texts));
  }

  #own(worker: Worker): Promise<string> {
    const question: MetricsMessage = { metrics: 'own', id: ++this.#asked };
    return new Promise((resolve) => {
      const hear = (message: unknown): void => {
        if (isAbout(message, 'own') && message.id === question.id) done(message.text);
      };
      const done = (text = ''): void => {
        clearTimeout(patience);
        worker.off('message', hear).off('exit', gone);
        resolve(text);
      };
      const gone = (): void => done();
      const patience = setTimeout(gone, PATIENCE_MILLIS);
      worker.on('message', hear).on('exit', gone);
      worker.send(question, (error) => error && done());
    });
  }
}

/** Within a worker: what it says of itself when it is asked, and how it asks for what all say. */
export class WorkerMetrics {
  readonly #waiting = new Map<number, (text: string) => void>();
  #asked = 0;

  /** @param own the metrics of this process */
  constructor(own: () => Promise<string>) {
    process.on('message', (message) => {
      if (isAbout(message, 'own'))
        void own()
          .catch(() => '')
          .then((text) => process.send?.({ ...message, text }));
      if (isAbout(message, 'all')) this.#hear(message);
    });
  }

  ofAll(): Promise<string> {
    const question: MetricsMessage = { metrics: 'all', id: ++this.#asked };
    return new Promise((resolve) => {
      this.#waiting.set(question.id, resolve);
      process.send?.(question);
    });
  }

  #hear({ id, text = '' }: MetricsMessage): void {
    this.#waiting.get(id)?.(text);
    this.#waiting.delete(id);
  }
}

function isAbout(message: unknown, metrics: MetricsMessage['metrics']): message is MetricsMessage {
  return (message as Partial<MetricsMessage> | null)?.metrics === metrics;
}

/** Whoever ends meanwhile needs no answer. */
const ignoreDeath = (): void => {};

const labelled = (text: string, place: number): string =>
  text.replace(/^([a-z]\w*)(\{?)/gim, (_, name: string, labels: string) =>
    labels ? `${name}{worker="${place}",` : `${name}{worker="${place}"}`,
  );

/** The format wants all series of a metric together, below its name. Metrics are blocks with an empty line between them. */
function merged(texts: readonly string[]): string {
  const blocks = new Map<string, string[]>();
  for (const block of texts.flatMap((text) => text.split('\n\n'))) {
    const [help = '', type = '', ...series] = block.trim().split('\n');
    if (help === '') continue;
    const head = `${help}\n${type}`;
    blocks.set(head, [...(blocks.get(head) ?? []), ...series]);
  }
  return [...blocks].map(([head, series]) => `${[head, ...series].join('\n')}\n`).join('\n');
}
