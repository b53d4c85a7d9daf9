import { Injectable } from '@nestjs/common';
import type { Gauge } from 'prom-client';

/** One value of one gauge. */
export interface Reading {
  readonly gauge: Gauge;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

type Read = () => Promise<readonly Reading[]> | readonly Reading[];

interface Reader {
  readonly read: Read;
  readonly freshMillis: number;
  /** A `performance.now()`. */
  readAt: number;
  readings: Promise<readonly Reading[]>;
}

/**
 * What is read when somebody wants to see it, instead of counted as it happens. Modules name their readers; what one of them cannot read
 * is absent, and the others are there.
 */
@Injectable()
export class GaugeReadings {
  readonly #readers: Reader[] = [];
  #shown: readonly Reading[] = [];

  /** @param freshSeconds for how long a reading does: whoever asks for metrics needs no key, and must not keep the database busy */
  add(read: Read, freshSeconds = 0): void {
    const freshMillis = freshSeconds * 1000;
    this.#readers.push({ read, freshMillis, readAt: -Infinity, readings: Promise.resolve([]) });
  }

  /** Gives every gauge its present value. */
  async refresh(): Promise<void> {
    const read = await Promise.all(this.#readers.map(readingsOf));
    const readings = read.flat();
    // Not `reset`: it sets a gauge without labels to 0, which would be a value.
    for (const { gauge, labels = {} } of this.#shown) gauge.remove(labels);
    this.#shown = readings;
    for (const { gauge, labels = {}, value } of readings) gauge.set(labels, value);
  }
}

/** Those who ask while it is read share the answer. */
function readingsOf(reader: Reader): Promise<readonly Reading[]> {
  const now = performance.now();
  if (now - reader.readAt < reader.freshMillis) return reader.readings;
  reader.readAt = now;
  reader.readings = Promise.resolve()
    .then(() => reader.read())
    .catch(() => {
      reader.readAt = -Infinity;
      return [];
    });
  return reader.readings;
}
