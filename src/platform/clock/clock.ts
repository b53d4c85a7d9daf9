import { Injectable } from '@nestjs/common';

/** The one source of time: whatever decides by time asks here, so that a test can move it. */
export abstract class Clock {
  abstract now(): Date;
}

@Injectable()
export class SystemClock extends Clock {
  now(): Date {
    return new Date();
  }
}
