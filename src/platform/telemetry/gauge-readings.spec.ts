import { expect, it } from 'vitest';
import { GaugeReadings } from './gauge-readings.js';
import { outboxRows, poolConnections } from './runtime-metrics.js';

it('what cannot be read is absent, with labels or without', async () => {
  const values = async () => [(await outboxRows.get()).values.length, (await poolConnections.get()).values.length];
  expect(await values()).toEqual([0, 0]);
  let away = false;
  const readings = new GaugeReadings();
  readings.add(async () => {
    if (away) throw new Error('away');
    return [
      { gauge: outboxRows, value: 3 },
      { gauge: poolConnections, labels: { state: 'idle' }, value: 1 },
    ];
  });
  await readings.refresh();
  expect(await values()).toEqual([1, 1]);
  away = true;
  await readings.refresh();
  expect(await values()).toEqual([0, 0]);
  away = false;
  await readings.refresh();
  expect(await values()).toEqual([1, 1]);
});

it('a reading that failed is not remembered', async () => {
  let asked = 0;
  const readings = new GaugeReadings();
  readings.add(async () => {
    if (asked++ === 0) throw new Error('away');
    return [{ gauge: outboxRows, value: 7 }];
  }, 3600);
  for (let turn = 0; turn < 3; turn++) await readings.refresh();
  expect((await outboxRows.get()).values).toMatchObject([{ value: 7 }]);
  expect(asked).toBe(2);
});
