import { Injectable } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { SigningKeys } from './signing-keys.js';

const HOUR_MILLIS = 3_600_000;

/** Nobody has to remember to rotate (W30). A retired key needs no job: it leaves the JWKS by its date. */
@Injectable()
export class KeyRotationJob extends Job {
  readonly name = 'key-rotation';
  override readonly everyMillis = HOUR_MILLIS;

  constructor(private readonly keys: SigningKeys) {
    super();
  }

  run(): Promise<void> {
    return this.keys.rotateIfDue();
  }
}
