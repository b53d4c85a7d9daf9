import type { Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MetricsOfWorkers } from './metrics-of-workers.js';

/** The keeper's end of a worker, whose process is the test. */
class Line extends EventEmitter {
  readonly heard: { readonly metrics: string; readonly id: number; readonly text?: string }[] = [];

  send(message: (typeof this.heard)[number]): void {
    this.heard.push(message);
  }

  /** What it was asked for last, if it was. */
  asked(): number | undefined {
    return this.heard.findLast(({ metrics }) => metrics === 'own')?.id;
  }

  says(text: string): void {
    this.emit('message', { metrics: 'own', id: this.asked(), text });
  }

  answer(): Promise<string> {
    return vi.waitFor(() => {
      const text = this.heard.find(({ metrics }) => metrics === 'all')?.text;
      if (text === undefined) throw new Error('it has no answer yet');
      return text;
    });
  }
}

const block = (name: string, ...series: string[]): string =>
  [`# HELP ${name} What it counts.`, `# TYPE ${name} counter`, ...series].join('\n');

let lines: readonly [Line, Line];
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  lines = [new Line(), new Line()];
  const metrics = new MetricsOfWorkers();
  for (const [index, line] of lines.entries()) metrics.add(index + 1, line as unknown as Worker);
  lines[0].emit('message', { metrics: 'all', id: 7 });
  expect(lines.map((line) => line.asked())).toEqual([1, 2]);
});
afterEach(() => vi.useRealTimers());

describe('the metrics of two workers', () => {
  it('are one answer, with all series of a metric together and each with its worker', async () => {
    lines[1].says(`${block('b', 'b 2')}\n\n${block('a', 'a{of="x y"} 3')}\n`);
    lines[0].says(`${block('a', 'a{of="{z}"} 1', 'a 4')}\n\n${block('none')}\n\n\n${block('b')}\n`);
    expect(await lines[0].answer()).toBe(
      [
        block('a', 'a{worker="1",of="{z}"} 1', 'a{worker="1"} 4', 'a{worker="2",of="x y"} 3'),
        block('none'),
        `${block('b', 'b{worker="2"} 2')}\n`,
      ].join('\n\n'),
    );
    expect(lines[1].heard).toHaveLength(1);
  });

  it('are those of the other one at once when one dies while it is asked', async () => {
    lines[0].says(block('a', 'a 1'));
    lines[1].emit('exit');
    expect(await lines[0].answer()).toBe(`${block('a', 'a{worker="1"} 1')}\n`);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('are those of the other one when one has said nothing for five seconds', async () => {
    lines[0].says(block('a', 'a 1'));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(lines[0].heard).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await lines[0].answer()).toBe(`${block('a', 'a{worker="1"} 1')}\n`);
  });

  it('leave no listener behind', async () => {
    const before = lines.map((line) => line.listenerCount('message') + line.listenerCount('exit'));
    for (const line of lines) line.says(block('a'));
    await lines[0].answer();
    expect(lines.map((line) => line.listenerCount('message') + line.listenerCount('exit'))).toEqual(
      before.map((count) => count - 2),
    );
  });
});
