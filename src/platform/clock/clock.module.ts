import { Module, type DynamicModule } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';

/**
 * Clock — what time it is.
 * Owns: `Clock`. Not here: timers; nothing that decides anything waits for one.
 * Holds always: no other file reads the system's time.
 */
@Module({})
export class ClockModule {
  static of(clock: Clock = new SystemClock()): DynamicModule {
    return { module: ClockModule, global: true, providers: [{ provide: Clock, useValue: clock }], exports: [Clock] };
  }
}
