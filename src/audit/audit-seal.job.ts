import { Injectable } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { AuditSeals } from './audit-seals.js';

const HALF_AN_HOUR_MILLIS = 30 * 60_000;

/** Every hour is sealed within the next one. */
@Injectable()
export class AuditSealJob extends Job {
  readonly name = 'audit-seal';
  override readonly everyMillis = HALF_AN_HOUR_MILLIS;

  constructor(private readonly seals: AuditSeals) {
    super();
  }

  run(): Promise<void> {
    return this.seals.sealClosedHours();
  }
}
